"""Fixtures that every test may ask for, and the leak check that every test gets.

The fixtures themselves live in tests/support, each beside what it gives.
"""

from __future__ import annotations

from hypothesis import settings

pytest_plugins = [
    "tests.support.children",
    "tests.support.counts",
    "tests.support.lan",
    "tests.support.leaks",
    "tests.support.mariadb",
    "tests.support.town",
    "pytester",
]

# A slow machine is no failure (pytest-timeout has the last word), and what hypothesis
# found has to be repeatable from the log alone.
settings.register_profile("landline", deadline=None, print_blob=True)
settings.load_profile("landline")
