"""Tests of the ``landline`` command, as processes and on a terminal of their own."""
