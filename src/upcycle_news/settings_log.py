"""The settings of what operators read: the log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from upcycle_news.settings_types import Table


class LogSettings(Table):
    """`[log]`: events with ids and counts, on standard error."""

    format: Literal["text", "json"] = Field(
        "text", description="One line an event: for people, or as JSON for a program."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="What is told; `info` for services, as in deploy/."
    )
