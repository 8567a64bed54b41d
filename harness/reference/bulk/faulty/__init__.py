"""The faults of Bulk Data export: each asked for once, at the seam where it would arise."""
