"""Profiles as walks over what the types judged before."""
