"""Login drivers: how an authorization request is carried through without a person, or with one."""
