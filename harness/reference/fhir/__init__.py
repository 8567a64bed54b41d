"""The FHIR R4 interface of the reference EHR: store, search, paging, writes, capability."""
