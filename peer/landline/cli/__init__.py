"""The ``landline`` command. Each module parses, asks, shows or reads one kind of thing.

Nothing here knows sockets or frames: everything is done through the public
API of ``landline``. What is heavy is imported by the command that needs it.
"""
