"""A full-text index in memory: SQLite's FTS5 over stems and compound parts, asked term by term.

It lives as long as one decision and remembers nothing, so it is no store: the standard library's
sqlite3 with `:memory:` stands here for its BM25.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from upcycle_news.errors import UpcycleError

# In a pool of three items every word is rare or common by chance: neutral rows make it a pool of
# some hundreds, so that scores mean the same in every issue.
LEAST_ROWS = 300
_FILLER = "0"


class Index:
    """Documents of several fields, each a list of terms; `weights` say what a field counts."""

    def __init__(
        self, documents: Sequence[Sequence[Sequence[str]]], weights: Sequence[float]
    ) -> None:
        """Build the index; raises `UpcycleError` where SQLite lacks FTS5."""
        fields = ", ".join(f"f{number}" for number in range(len(weights)))
        self._connection = sqlite3.connect(":memory:")
        self._weights = ", ".join(str(float(weight)) for weight in weights)
        try:
            self._connection.execute(
                f'CREATE VIRTUAL TABLE texts USING fts5({fields}, tokenize="unicode61 remove_diacritics 0")'
            )
        except sqlite3.OperationalError:
            raise UpcycleError(
                "this Python's SQLite has no full-text search (FTS5): install one that has"
            ) from None
        rows = [[" ".join(terms) for terms in document] for document in documents]
        rows += _neutral(documents, len(weights))
        marks = ", ".join("?" * len(weights))
        self._connection.executemany(
            f"INSERT INTO texts(rowid, {fields}) VALUES (?, {marks})",  # noqa: S608  our own names
            ((number, *row) for number, row in enumerate(rows)),
        )
        self._size = len(documents)
        # What a word of one document in all of them counts: the unit of scores.
        self._unit = math.log(max(len(rows), 2))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def matches(self, term: str) -> Iterable[tuple[int, float]]:
        """Yield the documents that hold `term` and what it counts in each (BM25, in units)."""
        found = self._connection.execute(
            f"SELECT rowid, bm25(texts, {self._weights}) FROM texts WHERE texts MATCH ?",  # noqa: S608
            ('"' + term.replace('"', "") + '"',),
        )
        return [(int(row), -float(score) / self._unit) for row, score in found if row < self._size]

    def scores(self, query: Mapping[str, float]) -> list[dict[str, float]]:
        """What each term of a weighted query counts in each document."""
        found: list[dict[str, float]] = [{} for _ in range(self._size)]
        for term, weight in query.items():
            for row, score in self.matches(term):
                found[row][term] = weight * score
        return found


def _neutral(documents: Sequence[Sequence[Sequence[str]]], fields: int) -> list[list[str]]:
    missing = LEAST_ROWS - len(documents)
    if missing <= 0:
        return []
    count = max(len(documents), 1)
    lengths = [sum(len(document[n]) for document in documents) // count for n in range(fields)]
    return [[" ".join([_FILLER] * length) for length in lengths]] * missing
