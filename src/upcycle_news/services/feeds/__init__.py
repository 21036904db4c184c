"""Collect feeds, judge their health, manage feeds.toml."""
