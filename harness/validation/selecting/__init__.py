"""By which profiles a resource is judged."""
