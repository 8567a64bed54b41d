"""What came of a request: what an answer is, and the resources in it, byte by byte."""
