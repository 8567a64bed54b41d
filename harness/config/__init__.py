"""EHR files, tenant files, secrets, and where things are."""
