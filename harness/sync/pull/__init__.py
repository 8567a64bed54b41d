"""Pulling: asking for pages, committing each, and seeing to what goes wrong."""
