"""A tenant's way to its EHR: grant, sender, and whose data they open."""
