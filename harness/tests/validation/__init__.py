"""How the validator is proved: mutants by hand and by chance, official examples, other validators."""
