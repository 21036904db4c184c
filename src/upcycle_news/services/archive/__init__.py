"""Builds the archive from the store; corrects and withdraws what it shows."""
