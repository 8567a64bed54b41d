"""The store of a tenant: what it holds, in which database, and as files."""
