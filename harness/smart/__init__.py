"""SMART App Launch and OAuth: discovery, launch, tokens, vault."""
