"""The store, on SQLite and on MariaDB."""
