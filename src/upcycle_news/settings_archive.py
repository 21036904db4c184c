"""The settings of the archive: where it is published, and how it gets there."""

from __future__ import annotations

from pydantic import Field

from upcycle_news.settings_types import Line, Table, Url


class ArchiveSettings(Table):
    """`[archive]`: the web pages of all issues (`upcycle-news archive build`)."""

    url: Url = Field(
        "", description="Where the folder is published if not at public_url, without final slash."
    )
    command: tuple[Line, ...] = Field(
        (), description="Run after each change, word by word; `{folder}` is the archive's folder."
    )
    index_html: bool = Field(
        False, description="Links name index.html: for reading from disk, or hosts without it."
    )
