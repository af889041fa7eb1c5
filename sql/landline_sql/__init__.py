"""What a broker remembers: tables, migrations and the store.

All SQL of Landline lives in this package and nowhere else. It knows nothing of
sockets, requests or passwords in the clear. Start at ``landline_sql.store``.
"""
