"""The broker, over real sockets, on SQLite and on MariaDB."""
