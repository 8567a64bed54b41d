"""FHIR R4 over HTTP: read, search, paging, create, update, bundles, dates."""
