"""The store: tables, migrations and every SQL statement. It never opens a socket."""
