"""What is gone from an EHR, proven by a read."""
