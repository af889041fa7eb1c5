"""Tests of the peer's library, one file for each module."""
