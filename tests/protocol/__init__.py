"""Tests of ``landline_protocol``, one file for each of its modules."""
