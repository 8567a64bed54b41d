"""SMART App Launch and OAuth 2.0 as a client: discovery, launches, tokens, logins."""
