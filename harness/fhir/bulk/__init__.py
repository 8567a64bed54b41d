"""Bulk Data Access, the protocol alone: what is asked, what is answered, files; nothing is stored.

https://hl7.org/fhir/uv/bulkdata/STU2/export.html
"""
