"""upcycle_news: from essays and feeds to a newsletter in the reader's mailbox.

The public API is `open_app` and the `App` it returns (docs/api.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from upcycle_news.version import __version__

if TYPE_CHECKING:
    from upcycle_news.api import App, open_app

__all__ = ["App", "__version__", "open_app"]


def __getattr__(name: str) -> Any:
    """Import the API when it is first used: `import upcycle_news` alone stays cheap."""
    if name in ("App", "open_app"):
        from upcycle_news import api

        return getattr(api, name)
    raise AttributeError(f"module 'upcycle_news' has no attribute {name!r}")
