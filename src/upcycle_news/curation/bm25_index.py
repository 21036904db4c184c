"""BM25F-style scoring of short documents with SQLite's FTS5, one query term at a time.

Each document is a list of fields (title, summary, …), each field a list of terms that were stemmed
and split by the caller. The index is an in-memory FTS5 table with a column per field; `bm25()` gives
the score of one term in one document, with k1 = 1.2, b = 0.75 (FTS5's constants) and the fields'
weights. Terms are queried one by one, so that the caller can weight them and say which of them
contributed.

Scores are divided by log(number of rows), about the IDF of a term that occurs in one document, and
small pools are padded with filler rows: so a score means the same whatever the size of the pool,
and thresholds can be constants. The table lives as long as one decision: it is a computation, not
storage, which is why SQL stands outside the storage package here.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized

# In a pool of three items document frequencies are chance: filler rows make it a pool of some
# hundreds, so that the IDF of a term, and with it a score, means the same in every issue.
MIN_ROWS = 300
_FILLER = "0"


class BM25Index:
    """An index over `documents`, each a sequence of fields, each a list of terms.

    `weights` has a BM25 weight for each field. A context manager: it holds a SQLite connection.
    """

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
            raise UpcycleError(localized("no-fts")) from None
        rows = [[" ".join(terms) for terms in document] for document in documents]
        rows += _filler_rows(documents, len(weights))
        marks = ", ".join("?" * len(weights))
        self._connection.executemany(
            f"INSERT INTO texts(rowid, {fields}) VALUES (?, {marks})",  # noqa: S608  our own names
            ((number, *row) for number, row in enumerate(rows)),
        )
        self._size = len(documents)
        # About the IDF of a term that occurs in a single document: the unit of scores.
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
        """Return (document number, normalised BM25 score) for each document that holds `term`."""
        rows = self._connection.execute(
            f"SELECT rowid, bm25(texts, {self._weights}) FROM texts WHERE texts MATCH ?",  # noqa: S608
            ('"' + term.replace('"', "") + '"',),
        )
        return [(int(row), -float(score) / self._unit) for row, score in rows if row < self._size]

    def scores(self, query: Mapping[str, float]) -> list[dict[str, float]]:
        """Return, for each document, the matching terms of a weighted query with their scores."""
        contributions: list[dict[str, float]] = [{} for _ in range(self._size)]
        for term, weight in query.items():
            for row, score in self.matches(term):
                contributions[row][term] = weight * score
        return contributions


def _filler_rows(documents: Sequence[Sequence[Sequence[str]]], fields: int) -> list[list[str]]:
    """Return rows of one meaningless term, of average length, up to `MIN_ROWS` in all."""
    missing = MIN_ROWS - len(documents)
    if missing <= 0:
        return []
    count = max(len(documents), 1)
    lengths = [sum(len(document[n]) for document in documents) // count for n in range(fields)]
    return [[" ".join([_FILLER] * length) for length in lengths]] * missing
