"""Feeds as they are: fetching, parsing, dates, identity of items."""
