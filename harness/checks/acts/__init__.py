"""Acts: what is done once per run against the EHR."""
