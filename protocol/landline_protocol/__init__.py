"""Landline's wire format and state machines, free of any input or output.

Everything here is a pure function of its arguments: no module imports a
socket, a thread, a clock, a file or a source of randomness. ``SPEC.md``, one
folder up, is the normative text; the modules follow its sections.
"""

VERSION = 1
"""The protocol version that this package speaks (SPEC section 3)."""
