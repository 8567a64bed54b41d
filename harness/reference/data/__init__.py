"""Synthetic patients of the reference EHR, the same for the same seed."""
