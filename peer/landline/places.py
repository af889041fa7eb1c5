"""Where files go when nobody says where. It makes nothing and reads nothing."""

from pathlib import Path

from platformdirs import user_data_path


def default_home() -> Path:
    """Return the home that is used when none is named."""
    return user_data_path("landline")
