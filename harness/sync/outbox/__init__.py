"""Writes of an application: kept before they are sent, each once at the EHR, or accounted for."""
