"""Snapshots of the store, copies into another one, and the merge of a restore."""
