"""How the validator is proved: by mutants, official examples and validators of other make."""
