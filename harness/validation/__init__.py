"""FHIR R4 and US Core validation, compiled from the tables of `harness.spec.definitions`."""
