"""The store: one module for each aggregate; the only package with SQL.

`database` opens and migrates it, `schema` has the tables, `migrations` their history. The ledger
of deliveries is `ledger`, with its statements in `ledger_sql` and `ledger_fast_path`. `backup` has
snapshots, copies and the merge of a restore.
"""
