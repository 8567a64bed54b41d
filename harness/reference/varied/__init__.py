"""What one conformant EHR does otherwise than another: the variants of the reference EHR.

A variant alters the request before the reference EHR sees it, or its answer on the way out, and
so does not depend on how the answer came about. One module per part of the interface.
"""
