"""Keeping a tenant's store equal to its EHR: what to ask, how to ask it, and what to keep."""
