"""Packages of FHIR definitions: fetched, unpacked, and reduced to tables."""
