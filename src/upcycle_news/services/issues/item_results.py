"""What choosing items found about them, kept beside the store from one command to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.services.kept_results import kept_each, kept_json, short_hash

MIN_VALUES = 100  # fewer are done before the files of the program are looked at


@dataclass(frozen=True)
class KeptItemResults:
    """Results in var/checks; whatever is written there, each is what `make` would return now."""

    context: AppContext

    def whole(self, name: str, values: Sequence[Any], make: Callable[[], Any]) -> Any:
        """Return what `make` returns for all of these values together.

        The issues of the next weeks, and those in other languages, choose among others: each of them has
        most probably one of 16 files of its own.
        """
        if len(values) < MIN_VALUES:
            return make()
        return kept_json(self.context, f"{name}-{short_hash(values)}", values, make)

    def each(
        self, name: str, inputs: Any, values: Sequence[Any], make: Callable[[Any], Any]
    ) -> list[Any]:
        """Return what `make` returns for each value, in their order."""
        if len(values) < MIN_VALUES:
            return [make(value) for value in values]
        return kept_each(self.context, name, inputs, values, make)
