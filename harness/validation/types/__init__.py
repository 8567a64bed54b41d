"""Types of FHIR as walks over JSON, with all that stands in them."""
