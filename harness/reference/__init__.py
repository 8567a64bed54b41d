"""The reference EHR: an embedded (g)(10) server, and the faults it can have."""
