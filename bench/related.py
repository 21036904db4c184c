"""How well items are chosen that belong to an essay: P@5, P@10 and MAP on a judged corpus.

    python bench/related.py            the eighteen essays that were tuned with, over their two pools
    python bench/related.py --final    over all three pools, and the nine untouched essays too

The corpora and how they were judged: README.md in bench/related and in the folders there. Ties are broken by id, which says nothing.
Weights fitted without the essay that is asked: bench/related_fit.py.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import resource
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import fmean

from upcycle_news.curation import ranking as ranking_module
from upcycle_news.curation.bm25_index import Index
from upcycle_news.curation.compounds import Compounds
from upcycle_news.curation.term_score import FIELDS, Document, Query
from upcycle_news.curation.vocabulary import Vocabulary, load_vocabulary
from upcycle_news.models import Essay, FeedItem, Story

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "bench/related"
DAY = date(2026, 11, 26)
# Feedback as it was before there was a vocabulary; a method to compare with.
TEACHERS, TAUGHT, TRUST, LEAST_TEACHER = 8, 15, 0.4, 1.0


def load(name: str):
    return json.loads((CORPUS / f"{name}.json").read_text(encoding="utf-8"))


def essays(name: str) -> dict[str, Essay]:
    return {
        one["id"]: Essay(
            slug=one["id"], source="", title=one["title"], author="", date=DAY, language="de",
            summary="", body=one["body"], topics=tuple(one["topics"]),
        )
        for one in load(name)
    }  # fmt: skip


def stories(*names: str) -> list[Story]:
    items = [
        FeedItem(
            key=one["id"], feed=one["feed"], link=f"https://x.example/{one['id']}",
            canonical=one["id"], title=one["title"], summary=one["summary"],
            date=datetime(2026, 11, 25, 9, tzinfo=UTC), date_source="feed",
        )
        for name in names
        for one in load(name)
    ]  # fmt: skip
    return [Story((item,)) for item in sorted(items, key=lambda item: item.key)]


@dataclass
class Part:
    """Essays, the pool they are asked of, and what is related."""

    name: str
    essays: dict[str, Essay]
    stories: list[Story]
    judged: dict[str, set[str]]
    vocabulary: Vocabulary


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())


def text_of(essay: Essay) -> str:
    return " ".join((essay.title, *essay.topics, essay.body))


def ranked(part: Part, scores: Mapping[int, float]) -> list[str]:
    keys = [story.lead.key for story in part.stories]
    return [keys[n] for n in sorted(scores, key=lambda n: (-scores[n], keys[n]))]


def plain(part: Part, query: Mapping[str, float], title_weight: float) -> list[str]:
    """FTS5 as it comes, over the words as they are written."""
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE VIRTUAL TABLE t USING fts5(a, b, tokenize='unicode61 remove_diacritics 0')"
    )
    rows = ((n, one.lead.title, one.lead.summary) for n, one in enumerate(part.stories))
    connection.executemany("INSERT INTO t(rowid, a, b) VALUES (?, ?, ?)", rows)
    scores: Counter[int] = Counter()
    for word, weight in query.items():
        for row, score in connection.execute(
            f"SELECT rowid, bm25(t, {title_weight}, 1.0) FROM t WHERE t MATCH ?", (f'"{word}"',)
        ):
            scores[row] -= weight * score
    return ranked(part, scores)


def plain_bm25(part: Part, essay: Essay) -> list[str]:
    return plain(part, Counter(words_of(text_of(essay))), 1.0)


def raw_words(part: Part, essay: Essay) -> list[str]:
    return plain(part, dict.fromkeys(words_of(text_of(essay)), 1.0), 2.0)


def lexical(part: Part, essay: Essay, *, parts: bool, feedback: bool) -> list[str]:
    texts = [(text_of(essay), "de")] if parts else []
    texts += [(f"{s.lead.title}. {s.lead.summary}", "de") for s in part.stories if parts]
    compounds = Compounds(texts)
    documents = [Document(story.lead, compounds) for story in part.stories]
    query = Query(essay, compounds).terms
    with Index([document.fields for document in documents], FIELDS) as index:
        scores = [math.fsum(terms.values()) for terms in index.scores(query)]
        if feedback:
            taught = index.scores(lent(query, scores, documents))
            scores = [s + math.fsum(t.values()) for s, t in zip(scores, taught, strict=True)]
    return ranked(part, {n: score for n, score in enumerate(scores) if score > 0})


def lent(query, scores, documents) -> dict[str, float]:
    """Pseudo relevance feedback: the terms that the best have in common and the others lack."""
    best = sorted(range(len(scores)), key=lambda n: (-scores[n], n))[:TEACHERS]
    teachers = [n for n in best if scores[n] >= LEAST_TEACHER]
    if len(teachers) < 3:
        return {}
    sets = [{term for fields in one.fields for term in fields} for one in documents]
    everywhere = Counter(term for terms in sets for term in terms)
    shared = Counter(term for n in teachers for term in sets[n])
    total = math.fsum(scores[n] for n in teachers)
    value = {
        term: math.log(len(documents) / everywhere[term])
        * math.fsum(scores[n] for n in teachers if term in sets[n]) / total
        for term, count in shared.items() if count >= 2
    }  # fmt: skip
    taught = sorted(value, key=lambda term: (-value[term], term))[:TAUGHT]
    most = max((value[term] for term in taught), default=0) or 1
    return {term: TRUST * max(query.values()) * value[term] / most for term in taught}


def ours(part: Part, essay: Essay) -> list[str]:
    found = ranking_module.fits([essay], part.stories, today=DAY, vocabulary=part.vocabulary)
    kept = (fit for fit in found if fit.score > 0)
    return [fit.story.lead.key for fit in sorted(kept, key=ranking_module.order)]


METHODS: dict[str, Callable[[Part, Essay], list[str]]] = {
    "plain BM25 over words": plain_bm25,
    "raw words (a set), titles double": raw_words,
    "stems": lambda part, essay: lexical(part, essay, parts=False, feedback=False),
    "stems and compound parts": lambda part, essay: lexical(
        part, essay, parts=True, feedback=False
    ),
    "the same with feedback": lambda part, essay: lexical(part, essay, parts=True, feedback=True),
    "words and concepts (what is used)": ours,
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


def show(part: Part) -> None:
    print(f"\n## {part.name}: {len(part.essays)} essays, {len(part.stories)} items\n")
    print("| method | P@5 | P@10 | MAP |\n|---|--:|--:|--:|")
    rankings = {}
    for name, method in METHODS.items():
        rankings = {slug: method(part, essay) for slug, essay in part.essays.items()}
        rows = [measured(rankings[slug], part.judged[slug]) for slug in part.essays]
        print(
            f"| {name} | " + " | ".join(f"{fmean(c):.3f}" for c in zip(*rows, strict=True)) + " |"
        )
    print("\n| essay | P@5 | P@10 | MAP | unrelated that pass |\n|---|--:|--:|--:|--:|")
    let_in = kept = lost = 0
    for slug, essay in part.essays.items():
        wanted = part.judged[slug]
        alone = [story for story in part.stories if story.lead.key not in wanted]
        passing = len(admitted(essay, alone, part))
        row = measured(rankings[slug], wanted)
        print(f"| `{slug}` | " + " | ".join(f"{value:.2f}" for value in row) + f" | {passing} |")
        chosen = admitted(essay, part.stories, part)
        first = [key for key in rankings[slug][:10] if key in wanted]
        let_in += passing
        kept += sum(key in chosen for key in first)
        lost += sum(key not in chosen for key in first)
    print(
        f"\nFloor {ranking_module.FLOOR}: where nothing related is there, {let_in / len(part.essays):.1f} "
        f"unrelated items pass per essay; of the related ones among the first ten, {kept} pass "
        f"and {lost} do not."
    )


def admitted(essay: Essay, stories: Sequence[Story], part: Part) -> set[str]:
    """The keys of the stories that the floor lets pass."""
    found = ranking_module.fits([essay], stories, today=DAY, vocabulary=part.vocabulary)
    return {fit.story.lead.key for fit in found if fit.evidence >= ranking_module.FLOOR}


def parts(final: bool) -> list[Part]:
    vocabulary = load_vocabulary(ROOT / "content/vocabulary.toml", ROOT)
    pools = ["items", "second/items"] + ["third/items"] * final
    verdicts = ["judgements", "second/judgements", "second/judgements_first_essays"]
    verdicts += ["third/judgements_earlier_essays"] * final
    pool = stories(*pools)
    tuning = Part(
        "tuning", essays("essays") | essays("second/essays"), pool, judged(*verdicts), vocabulary
    )
    if not final:
        return [tuning]
    untouched = essays("third/essays")
    return [tuning, Part("untouched", untouched, pool, judged("third/judgements"), vocabulary)]


def judged(*names: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name in names:
        for slug, related_items in load(name).items():
            found.setdefault(slug, set()).update(related_items)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--final", action="store_true", help="three pools, and the untouched essays"
    )
    for part in (found := parts(parser.parse_args().final)):
        show(part)
    began = resource.getrusage(resource.RUSAGE_SELF)
    part = found[0]
    ranking_module.fits(
        list(part.essays.values())[:5], part.stories, today=DAY, vocabulary=part.vocabulary
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime - began.ru_utime - began.ru_stime
    print(f"\nRanking {len(part.stories)} items for five essays: {seconds:.2f} s of CPU; Python "
          f"{sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}")  # fmt: skip


if __name__ == "__main__":
    main()
