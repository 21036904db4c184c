"""The public API: `open_app()` gives an `App` with one attribute for each kind of thing.

The command line, the web pages and the flows call this and nothing below it; so can a script of
one's own. The guide and the reference are docs/api.md.
"""

from __future__ import annotations

from upcycle_news.api.app import App, open_app

__all__ = ["App", "open_app"]
