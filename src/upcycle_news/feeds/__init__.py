"""Feeds: fetching, discovery, parsing (RSS, Atom, JSON Feed), dates, identity of items, OPML."""
