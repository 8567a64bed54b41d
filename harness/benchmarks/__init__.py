"""How fast the parts are: one command each, medians and ratios, on loopback only."""
