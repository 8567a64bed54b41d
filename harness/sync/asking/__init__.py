"""What to ask of an EHR, and what it was seen to honour."""
