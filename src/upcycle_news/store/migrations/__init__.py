"""Migrations of the store, run by `store.engine` when a store is older than the program."""
