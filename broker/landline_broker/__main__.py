"""Runs the command line as ``python -m landline_broker``."""

from landline_broker.cli import main

if __name__ == "__main__":
    main()
