"""The steps by which a database came to the tables of this version."""
