"""Which essays a run may use, as its schedule or its form says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from upcycle_news.models import Essay


@dataclass(frozen=True)
class EssayFilter:
    """Essays that a run may use, by slug or topic; empty fields allow all that are ready and new."""

    essays: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    topics: Sequence[str] = ()

    def allows(self, essay: Essay) -> bool:
        """True if the essay may be used."""
        return (
            essay.slug not in self.leave_out
            and (not self.essays or essay.slug in self.essays)
            and (not self.topics or bool(set(self.topics) & set(essay.topics)))
        )
