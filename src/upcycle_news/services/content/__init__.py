"""Bring content up to date from git."""
