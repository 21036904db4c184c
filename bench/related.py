"""How well items are chosen that belong to an essay: P@5, P@10 and MAP on a judged corpus.

    python bench/related.py            the tuning essays
    python bench/related.py --final    the untouched third too, per essay

The corpus and how it was judged: bench/related/README.md. Ties are broken by id, which says nothing.
"""

from __future__ import annotations

import argparse
import json
import re
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import fmean

from upcycle_news.editorial import compounds, related
from upcycle_news.model import Essay, FeedItem, Story

CORPUS = Path(__file__).parent / "related"
DAY = date(2026, 11, 26)
Ranking = Callable[[Essay], list[str]]


def load(name: str):
    return json.loads((CORPUS / f"{name}.json").read_text(encoding="utf-8"))


ESSAYS = {
    one["id"]: Essay(
        slug=one["id"], source="", title=one["title"], author="", date=DAY, language="de",
        summary="", body=one["body"], topics=tuple(one["topics"]),
    )
    for one in load("essays")
}  # fmt: skip
ITEMS = [
    FeedItem(
        key=one["id"], feed=one["feed"], link=f"https://x.example/{one['id']}", canonical=one["id"],
        title=one["title"], summary=one["summary"], date=datetime(2026, 11, 25, 9, tzinfo=UTC),
        date_source="feed",
    )
    for one in sorted(load("items"), key=lambda one: one["id"])
]  # fmt: skip
STORIES = [Story((item,)) for item in ITEMS]


def text_of(essay: Essay) -> str:
    return " ".join((essay.title, *essay.topics, essay.body))


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())


def plain(query: Mapping[str, float], title_weight: float) -> list[str]:
    """FTS5 as it comes, over the words as they are written."""
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE t USING fts5(a, b, tokenize='unicode61 remove_diacritics 0')"
    )
    rows = ((n, item.title, item.summary) for n, item in enumerate(ITEMS))
    connection.executemany("INSERT INTO t(rowid, a, b) VALUES (?, ?, ?)", rows)
    scores: Counter[int] = Counter()
    for word, weight in query.items():
        for row, score in connection.execute(
            f"SELECT rowid, bm25(t, {title_weight}, 1.0) FROM t WHERE t MATCH ?", (f'"{word}"',)
        ):
            scores[row] -= weight * score
    return [ITEMS[n].key for n in sorted(scores, key=lambda n: (-scores[n], ITEMS[n].key))]


def plain_bm25(essay: Essay) -> list[str]:
    return plain(Counter(words_of(text_of(essay))), 1.0)


def raw_words(essay: Essay) -> list[str]:
    return plain(dict.fromkeys(words_of(text_of(essay)), 1.0), 2.0)


def ours(essay: Essay) -> list[str]:
    found = related.fits([essay], STORIES, today=DAY)
    kept = (fit for fit in found if fit.score > 0)
    return [fit.story.lead.key for fit in sorted(kept, key=related.order)]


@contextmanager
def without(*, parts: bool = False, feedback: bool = False) -> Iterator[None]:
    shortest, trust = compounds.SHORTEST_WORD, related.TRUST
    try:
        if parts:
            compounds.SHORTEST_WORD = 10_000
        if feedback:
            related.TRUST = 0.0
        yield
    finally:
        compounds.SHORTEST_WORD, related.TRUST = shortest, trust


def stems(essay: Essay) -> list[str]:
    with without(parts=True, feedback=True):
        return ours(essay)


def stems_and_parts(essay: Essay) -> list[str]:
    with without(feedback=True):
        return ours(essay)


METHODS: dict[str, Ranking] = {
    "plain BM25 over words": plain_bm25,
    "raw words (a set), titles double": raw_words,
    "stems": stems,
    "stems and compound parts": stems_and_parts,
    "the same with feedback (what is used)": ours,
}


def measured(ranking: list[str], related_items: set[str]) -> tuple[float, float, float]:
    hits = [key in related_items for key in ranking]
    found = 0
    precisions = []
    for place, hit in enumerate(hits, start=1):
        if hit:
            found += 1
            precisions.append(found / place)
    return sum(hits[:5]) / 5, sum(hits[:10]) / 10, sum(precisions) / len(related_items)


def table(part: list[str], judged: Mapping[str, set[str]]) -> None:
    print("| method | P@5 | P@10 | MAP |\n|---|--:|--:|--:|")
    for name, method in METHODS.items():
        rows = [measured(method(ESSAYS[essay]), judged[essay]) for essay in part]
        means = (fmean(column) for column in zip(*rows, strict=True))
        print(f"| {name} | " + " | ".join(f"{mean:.2f}" for mean in means) + " |")


def per_essay(part: list[str], judged: Mapping[str, set[str]]) -> None:
    print("\n| essay | P@5 | P@10 | MAP |\n|---|--:|--:|--:|")
    for essay in part:
        row = measured(ours(ESSAYS[essay]), judged[essay])
        print(f"| `{essay}` | " + " | ".join(f"{value:.2f}" for value in row) + " |")


def floor(part: list[str], judged: Mapping[str, set[str]]) -> None:
    """What the floor lets in where nothing belongs, and what it keeps out of the first ten."""
    let_in = kept = lost = 0
    for essay in part:
        strangers = [s for s in STORIES if s.lead.key not in judged[essay]]
        let_in += len(related.rank([ESSAYS[essay]], strangers, today=DAY))
        chosen = {one.story.lead.key for one in related.rank([ESSAYS[essay]], STORIES, today=DAY)}
        first = [key for key in ours(ESSAYS[essay])[:10] if key in judged[essay]]
        kept += sum(key in chosen for key in first)
        lost += sum(key not in chosen for key in first)
    count = len(part)
    print(
        f"\nFloor {related.FLOOR}: of {len(STORIES)} items less the related ones, {let_in / count:.1f} "
        f"pass per essay; of the related ones among the first ten, {kept} pass and {lost} do not."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--final", action="store_true", help="also the untouched third")
    final = parser.parse_args().final
    split = load("split")
    parts = ["tuning", "untouched"] if final else ["tuning"]
    judgements = load("judgements")
    for part in parts:
        judged = {essay: set(judgements[essay]) for essay in split[part]}
        print(f"\n## {part}: {len(split[part])} essays, {len(ITEMS)} items\n")
        table(split[part], judged)
        per_essay(split[part], judged)
        floor(split[part], judged)
    began = time.perf_counter()
    related.rank(list(ESSAYS.values())[:5], STORIES, today=DAY)
    print(f"\nRanking for five essays at once: {time.perf_counter() - began:.2f} s; Python "
          f"{sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}")  # fmt: skip


if __name__ == "__main__":
    main()
