"""The one HTTP client: exchanges, redaction, throttling, retries, recording."""
