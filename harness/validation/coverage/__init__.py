"""What of a profile has to be supported, and which resources had it."""
