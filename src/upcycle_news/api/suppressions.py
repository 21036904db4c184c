"""`app.suppressions`: addresses and domains that are never mailed, whatever else is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from upcycle_news.app.context import AppContext
from upcycle_news.models import IssueId, Suppression, SuppressionSource
from upcycle_news.services.subscribers import wave_suppressions
from upcycle_news.storage import pending_suppressions, suppressions

# Reading lists is imported by the verbs that do it: every status asks for what is pending.
if TYPE_CHECKING:
    from upcycle_news.services.subscribers.suppression_lists import (
        SuppressionPage,
        SuppressReport,
    )

__all__ = [
    "SuppressReport",
    "Suppression",
    "SuppressionPage",
    "SuppressionSource",
    "Suppressions",
]


class Suppressions:
    """Suppress and unsuppress. A target is an address, a ``@domain``, or the ``#hash`` of an erased one.

    Bounces, complaints and refusals while sending suppress by themselves.
    """

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.suppressions` is the usual way."""
        self._context = context

    def add(
        self,
        targets: str | Iterable[str],
        *,
        reason: str = "",
        source: SuppressionSource = SuppressionSource.COMMAND,
    ) -> SuppressReport:
        """Suppress one target or several, all or none; what is no target is reported as invalid.

        A target that is suppressed keeps its first reason. `reason` (default: by hand) is cut at 32
        characters; `source` is kept with it.
        """
        from upcycle_news.services.subscribers import suppression_lists

        targets = [targets] if isinstance(targets, str) else targets
        return suppression_lists.suppress_targets(
            self._context, targets, reason=reason, source=source
        )

    def import_file(self, file: Path | str, *, reason: str = "") -> SuppressReport:
        """Suppress a list of another system: CSV with a column key or email, or one target a line.

        Raises `ContentError`, and suppresses none, when the file cannot be read or is no such list.
        """
        from upcycle_news.services.subscribers import suppression_lists

        return suppression_lists.import_suppressions(self._context, Path(file), reason=reason)

    def remove(self, target: str) -> None:
        """Undo a suppression; the address gets mail again only with consent.

        Raises `AddressError` for what is no target, `UpcycleError` when it is not suppressed.
        """
        from upcycle_news.services.subscribers import suppression_lists

        suppression_lists.unsuppress(self._context, target)

    def pending(self, issue: IssueId | str = "") -> Iterator[Suppression]:
        """Yield the suppressions that wait for a decision, oldest first; with `issue` only its own.

        They came in a wave of refusals or hard bounces, which may be the relay's fault; until they are
        confirmed the subscribers get mail.
        """
        return pending_suppressions.all_pending(self._context.store, str(issue))

    def pending_count(self, issue: IssueId | str = "") -> int:
        """Return how many suppressions wait for a decision; with `issue` only its own."""
        return pending_suppressions.count_pending(self._context.store, str(issue))

    def pending_sentence(self) -> str:
        """Return the sentence that says how many wait and what to do; empty when none does."""
        return wave_suppressions.pending_sentence(self._context)

    def confirm_pending(self, issue: IssueId | str = "") -> int:
        """Suppress those that wait, or those of one issue; return how many.

        Raises `UpcycleError` when none waits.
        """
        return wave_suppressions.confirm_pending(self._context, str(issue))

    def drop_pending(self, issue: IssueId | str = "") -> int:
        """Drop the suppressions that wait, or those of one issue; return how many.

        Raises `UpcycleError` when none waits.
        """
        return wave_suppressions.drop_pending(self._context, str(issue))

    def remove_of_issue(self, issue: IssueId | str) -> int:
        """Undo whatever bounces and refusals of an issue suppressed, pending or not; return how many.

        Complaints and whatever people suppressed by hand stay. Raises `UpcycleError` when there is
        nothing to undo.
        """
        return wave_suppressions.undo_of_issue(self._context, str(issue))

    def list(self) -> Iterator[Suppression]:
        """Yield every suppression, oldest first."""
        return suppressions.all_suppressions(self._context.store)

    def find(self, target: str) -> Suppression | None:
        """Return the suppression of a target: of an address also its domain's, or that of its hash.

        None when it is not suppressed. Raises `AddressError` for what is no target.
        """
        from upcycle_news.services.subscribers import suppression_lists

        return suppression_lists.find_suppression(self._context, target)

    def page(self, *, after: str = "", limit: int = 100) -> SuppressionPage:
        """Return at most `limit` suppressions, oldest first; `after` is `next` of the page before.

        Each that is there all along is on one page, whatever is added or lifted meanwhile. Raises
        `ValueError` for an `after` that no page gave.
        """
        from upcycle_news.services.subscribers import suppression_lists

        return suppression_lists.page_of_suppressions(self._context, after=after, limit=limit)

    def csv(self, *, pending: bool = False, issue: IssueId | str = "") -> Iterator[str]:
        """Yield every suppression as a line of CSV, in the form that `import_file` reads.

        With `pending` those that wait for a decision, with `issue` only its own of them.
        """
        from upcycle_news.services.subscribers import suppression_lists

        rows = self.pending(issue) if pending else self.list()
        return suppression_lists.csv_lines(rows)
