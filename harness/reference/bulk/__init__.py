"""Bulk Data export of the reference EHR (Bulk Data Access IG 1.0.1 and 2.0.0).

http://hl7.org/fhir/uv/bulkdata/STU2/export.html. `kickoff` starts a job, `gathering` finds what
belongs to it, `spool` holds the files, `status` and `files` hand them out, `storage` does so at
another origin by signed links.
"""
