"""Bytes to resources: files, pipes and strict JSON."""
