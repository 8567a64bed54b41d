"""The authorization server: SMART App Launch 2.0, OAuth 2.0, OpenID Connect."""
