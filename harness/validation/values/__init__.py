"""Single values, each judged by itself."""
