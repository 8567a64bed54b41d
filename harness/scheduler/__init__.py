"""Running the tenants' jobs when they are due, each on its own."""
