"""What is due when, leases, jobs, and the clock that drives them."""
