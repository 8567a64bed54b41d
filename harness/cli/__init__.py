"""The `harness` command: parses, calls, prints."""
