"""Sync by bulk export: one job in the tenant's store, which survives restarts and days."""
