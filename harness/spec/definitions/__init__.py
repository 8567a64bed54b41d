"""FHIR definitions reduced to tables, and their reader."""
