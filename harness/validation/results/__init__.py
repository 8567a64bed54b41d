"""What validation found, counted and told."""
