"""Runs against software of other make, where there is some (docs/interop.md)."""
