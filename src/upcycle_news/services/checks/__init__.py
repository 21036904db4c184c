"""Runs all checks of a publication, its own flows included."""
