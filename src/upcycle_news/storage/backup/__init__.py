"""Snapshots of the store, copies, and what a restore merges."""
