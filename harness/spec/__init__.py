"""Requirements and regulatory facts, as data with a small reader."""
