"""The words of a check, the acts it stands on, and how both are judged."""
