"""Keeping a tenant in step with an EHR: strategies, pull, store."""
