"""The settings of backups: where they are put, and how many are kept."""

from __future__ import annotations

from pydantic import Field

from upcycle_news.settings_types import Line, Table


class BackupSettings(Table):
    """`[backup]`: the copies of the store that `upcycle-news backup` makes."""

    folder: Line = Field(
        "", description="Where backups are put, from the root; default: backups in the state."
    )
    keep: int = Field(14, ge=0, description="So many backups are kept there; 0: all of them.")
