"""Comparing a store with its EHR, without a change to either."""
