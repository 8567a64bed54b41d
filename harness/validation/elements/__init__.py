"""What types and profiles alike ask of an element."""
