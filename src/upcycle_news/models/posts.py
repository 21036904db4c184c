"""Posts of a site of one's own: texts in full, as its feed has them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

CutReason = Literal["", "summary", "ends", "empty"]
"""Why a post is not here in full: the feed has a summary only, it ends in the middle, or is empty."""


@dataclass(frozen=True)
class Post:
    """A post: `key` identifies it within its feed, `link` is its page and canonical address.

    `html` is its whole text, `image` the address of its title picture; `at` is None without a usable
    date. `trailer` is a last line that the site appends ("The post … appeared first on …"). With a
    `cut` the text is not the whole one.
    """

    key: str
    link: str
    title: str
    html: str
    at: datetime | None = None
    author: str = ""
    topics: tuple[str, ...] = ()
    language: str = ""
    summary: str = ""
    image: str = ""
    trailer: str = ""
    cut: CutReason = ""


@dataclass(frozen=True)
class ParsedPosts:
    """The posts of a body; `problems` are sentences, an empty `format` means that it is no feed."""

    format: str
    posts: tuple[Post, ...]
    problems: tuple[str, ...] = ()
