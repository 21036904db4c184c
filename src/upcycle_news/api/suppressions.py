"""`app.suppressions`: addresses and domains that are never mailed, whatever else is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.models import Suppression, SuppressionSource
from upcycle_news.services.subscribers import suppression_lists
from upcycle_news.services.subscribers.suppression_lists import SuppressReport
from upcycle_news.storage import suppressions

__all__ = ["SuppressReport", "Suppression", "SuppressionSource", "Suppressions"]


class Suppressions:
    """Suppress and unsuppress. A target is an address, a ``@domain``, or the ``#hash`` of an erased one.

    Bounces, complaints and refusals while sending suppress by themselves.
    """

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.suppressions` is the usual way."""
        self._context = context

    def add(self, targets: str | Iterable[str], *, reason: str = "") -> SuppressReport:
        """Suppress one target or several, all or none; what is no target is reported as invalid.

        A target that is suppressed keeps its first reason. `reason` (default: by hand) is cut at 32
        characters.
        """
        targets = [targets] if isinstance(targets, str) else targets
        return suppression_lists.suppress_targets(self._context, targets, reason=reason)

    def import_file(self, file: Path | str, *, reason: str = "") -> SuppressReport:
        """Suppress a list of another system: CSV with a column key or email, or one target a line.

        Raises `ContentError`, and suppresses none, when the file cannot be read or is no such list.
        """
        return suppression_lists.import_suppressions(self._context, Path(file), reason=reason)

    def remove(self, target: str) -> None:
        """Undo a suppression; the address gets mail again only with consent.

        Raises `AddressError` for what is no target, `UpcycleError` when it is not suppressed.
        """
        suppression_lists.unsuppress(self._context, target)

    def list(self) -> Iterator[Suppression]:
        """Yield every suppression, oldest first."""
        return suppressions.all_suppressions(self._context.store)

    def csv(self) -> Iterator[str]:
        """Yield every suppression as a line of CSV, in the form that `import_file` reads."""
        return suppression_lists.csv_lines(self._context)
