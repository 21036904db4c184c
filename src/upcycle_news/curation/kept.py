"""What is found about feed items whatever the essay is, and may be kept from one decision to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol


class ItemResults(Protocol):
    """Results by name; JSON can hold them, and what they were made of is all that they depend on."""

    def whole(self, name: str, values: Sequence[Any], make: Callable[[], Any]) -> Any:
        """Return what `make` returns for all of these values together."""

    def each(
        self, name: str, inputs: Any, values: Sequence[Any], make: Callable[[Any], Any]
    ) -> list[Any]:
        """Return what `make` returns for each value, in their order; it depends on `inputs`, too."""


class NothingKept:
    """Makes each result anew."""

    def whole(self, name: str, values: Sequence[Any], make: Callable[[], Any]) -> Any:
        """Return what `make` returns."""
        return make()

    def each(
        self, name: str, inputs: Any, values: Sequence[Any], make: Callable[[Any], Any]
    ) -> list[Any]:
        """Return what `make` returns for each value."""
        return [make(value) for value in values]


NOTHING_KEPT = NothingKept()
