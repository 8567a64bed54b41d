"""What walks are made of: one resource under judgement, where it is, and its properties."""
