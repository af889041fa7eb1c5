"""What crosses the wire: nothing that anybody said, no password, no name."""
