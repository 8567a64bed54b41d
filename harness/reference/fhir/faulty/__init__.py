"""The faults of the FHIR interface: each asked for once, at the seam where it would arise.

Every function alters one value of the healthy path and returns it; without faults it returns what
it was given. So the healthy path reads the same with and without them.
"""
