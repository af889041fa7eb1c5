"""The tests: one folder for each package, and lan, faults and bench beside them."""
