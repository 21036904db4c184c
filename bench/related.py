"""Quality of the selection of feed items for an essay: P@5, P@10 and MAP on a judged corpus.

    python bench/related.py            the eighteen essays that were tuned with, over their two pools
    python bench/related.py --final    over all three pools, and the nine untouched essays too
    python bench/related.py --bilingual   German essays over English items, and the reverse

The corpora and how they were judged: README.md in bench/related and in the folders there. Ties are
broken by id, which says nothing.
Weights fitted without the essay that is tested: bench/related_fit.py.
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

from upcycle_news.curation.bm25_index import BM25Index
from upcycle_news.curation.compounds import CompoundSplitter, stems_of
from upcycle_news.curation.ranking import FLOOR, score_stories, sort_key
from upcycle_news.curation.term_score import FIELDS, Document, Query
from upcycle_news.curation.vocabulary import Vocabulary, load_vocabulary
from upcycle_news.models import Essay, FeedItem, Story

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "bench/related"
DAY = date(2026, 11, 26)
BILINGUAL = ("f001", "f003", "f005", "f008")  # essays whose related items have English versions
# Feedback as it was before there was a vocabulary; a method to compare with.
SEED_STORIES, EXPANSION_TERMS, FEEDBACK_WEIGHT, MIN_SEED_SCORE = 8, 15, 0.4, 1.0


def load(name: str):
    return json.loads((CORPUS / f"{name}.json").read_text(encoding="utf-8"))


def essays(name: str, language: str = "de") -> dict[str, Essay]:
    return {
        essay["id"]: Essay(
            slug=essay["id"], source="", title=essay["title"], author="", date=DAY, language=language,
            summary="", body=essay["body"], topics=tuple(essay["topics"]),
        )
        for essay in load(name)
    }  # fmt: skip


def stories(*names: str, language: str = "de") -> list[Story]:
    items = [
        FeedItem(
            key=item["id"], feed=item["feed"], link=f"https://x.example/{item['id']}",
            canonical=item["id"], title=item["title"], summary=item["summary"],
            date=datetime(2026, 11, 25, 9, tzinfo=UTC), date_source="feed", language=language,
        )
        for name in names
        for item in load(name)
    ]  # fmt: skip
    return [Story((item,)) for item in sorted(items, key=lambda item: item.key)]


@dataclass
class Part:
    """Essays, the pool of items, and which of them are related to each essay."""

    name: str
    essays: dict[str, Essay]
    stories: list[Story]
    related: dict[str, set[str]]
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
    rows = ((n, story.lead.title, story.lead.summary) for n, story in enumerate(part.stories))
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
    compounds = CompoundSplitter(stems_of(texts))
    documents = [Document(story.lead, compounds) for story in part.stories]
    query = Query(essay, compounds).terms
    with BM25Index([document.fields for document in documents], FIELDS) as index:
        scores = [math.fsum(terms.values()) for terms in index.scores(query)]
        if feedback:
            feedback = index.scores(expansion(query, scores, documents))
            scores = [s + math.fsum(t.values()) for s, t in zip(scores, feedback, strict=True)]
    return ranked(part, {n: score for n, score in enumerate(scores) if score > 0})


def expansion(query, scores, documents) -> dict[str, float]:
    """Pseudo relevance feedback: the terms that the best have in common and the others lack."""
    best = sorted(range(len(scores)), key=lambda n: (-scores[n], n))[:SEED_STORIES]
    seeds = [n for n in best if scores[n] >= MIN_SEED_SCORE]
    if len(seeds) < 3:
        return {}
    sets = [{term for fields in document.fields for term in fields} for document in documents]
    document_frequency = Counter(term for terms in sets for term in terms)
    seed_frequency = Counter(term for n in seeds for term in sets[n])
    total = math.fsum(scores[n] for n in seeds)
    value = {
        term: math.log(len(documents) / document_frequency[term])
        * math.fsum(scores[n] for n in seeds if term in sets[n]) / total
        for term, count in seed_frequency.items() if count >= 2
    }  # fmt: skip
    terms = sorted(value, key=lambda term: (-value[term], term))[:EXPANSION_TERMS]
    highest = max((value[term] for term in terms), default=0) or 1
    return {term: FEEDBACK_WEIGHT * max(query.values()) * value[term] / highest for term in terms}


def ours(part: Part, essay: Essay) -> list[str]:
    scored = score_stories([essay], part.stories, today=DAY, vocabulary=part.vocabulary)
    positive = (score for score in scored if score.score > 0)
    return [score.story.lead.key for score in sorted(positive, key=sort_key)]


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


def quality(ranking: list[str], related_items: set[str]) -> tuple[float, float, float]:
    hits = [key in related_items for key in ranking]
    hit_count = 0
    precisions = []
    for place, hit in enumerate(hits, start=1):
        if hit:
            hit_count += 1
            precisions.append(hit_count / place)
    return sum(hits[:5]) / 5, sum(hits[:10]) / 10, sum(precisions) / len(related_items)


def show(part: Part) -> None:
    print(f"\n## {part.name}: {len(part.essays)} essays, {len(part.stories)} items\n")
    print("| method | P@5 | P@10 | MAP |\n|---|--:|--:|--:|")
    rankings = {}
    for name, method in METHODS.items():
        rankings = {slug: method(part, essay) for slug, essay in part.essays.items()}
        rows = [quality(rankings[slug], part.related[slug]) for slug in part.essays]
        print(
            f"| {name} | " + " | ".join(f"{fmean(c):.3f}" for c in zip(*rows, strict=True)) + " |"
        )
    print("\n| essay | P@5 | P@10 | MAP | unrelated that pass |\n|---|--:|--:|--:|--:|")
    unrelated = hits = misses = 0
    for slug, essay in part.essays.items():
        related = part.related[slug]
        others = [story for story in part.stories if story.lead.key not in related]
        passing = len(passing_keys(essay, others, part))
        row = quality(rankings[slug], related)
        print(f"| `{slug}` | " + " | ".join(f"{value:.2f}" for value in row) + f" | {passing} |")
        chosen = passing_keys(essay, part.stories, part)
        first = [key for key in rankings[slug][:10] if key in related]
        unrelated += passing
        hits += sum(key in chosen for key in first)
        misses += sum(key not in chosen for key in first)
    print(
        f"\nFloor {FLOOR}: where nothing related is there, {unrelated / len(part.essays):.1f} "
        f"unrelated items pass per essay; of the related ones among the first ten, {hits} pass "
        f"and {misses} do not."
    )


def passing_keys(essay: Essay, stories: Sequence[Story], part: Part) -> set[str]:
    """Return the keys of the stories that the floor lets pass."""
    scored = score_stories([essay], stories, today=DAY, vocabulary=part.vocabulary)
    return {score.story.lead.key for score in scored if score.evidence >= FLOOR}


def parts(final: bool) -> list[Part]:
    vocabulary = load_vocabulary(ROOT / "content/vocabulary.toml", ROOT)
    pools = ["items", "second/items"] + ["third/items"] * final
    verdicts = ["judgements", "second/judgements", "second/judgements_first_essays"]
    verdicts += ["third/judgements_earlier_essays"] * final
    pool = stories(*pools)
    tuning = Part(
        "tuning",
        essays("essays") | essays("second/essays"),
        pool,
        judgements(*verdicts),
        vocabulary,
    )
    if not final:
        return [tuning]
    untouched = essays("third/essays")
    return [tuning, Part("untouched", untouched, pool, judgements("third/judgements"), vocabulary)]


def bilingual_parts() -> list[Part]:
    """Return the German essays with English items, and the English essays with German items."""
    vocabulary = load_vocabulary(ROOT / "content/vocabulary.toml", ROOT)
    related = judgements("third/judgements")
    english = {item["id"]: item["of"] for item in load("bilingual/items")}
    german = {slug: essay for slug, essay in essays("third/essays").items() if slug in BILINGUAL}
    versions = {essay["id"]: essay["of"] for essay in load("bilingual/essays")}
    return [
        Part(
            "German essays, English items",
            german,
            stories("bilingual/items", language="en"),
            {slug: {key for key, of in english.items() if of in related[slug]} for slug in german},
            vocabulary,
        ),
        Part(
            "English essays, German items",
            essays("bilingual/essays", "en"),
            stories("items", "second/items", "third/items"),
            {slug: related[of] for slug, of in versions.items()},
            vocabulary,
        ),
    ]


def judgements(*names: str) -> dict[str, set[str]]:
    related: dict[str, set[str]] = {}
    for name in names:
        for slug, related_items in load(name).items():
            related.setdefault(slug, set()).update(related_items)
    return related


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--final", action="store_true", help="three pools, and the untouched essays"
    )
    parser.add_argument(
        "--bilingual", action="store_true", help="items of the other language than the essay"
    )
    arguments = parser.parse_args()
    measured_parts = bilingual_parts() if arguments.bilingual else parts(arguments.final)
    for part in measured_parts:
        show(part)
    began = resource.getrusage(resource.RUSAGE_SELF)
    part = measured_parts[0]
    score_stories(
        list(part.essays.values())[:5], part.stories, today=DAY, vocabulary=part.vocabulary
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime - began.ru_utime - began.ru_stime
    print(f"\nRanking {len(part.stories)} items for five essays: {seconds:.2f} s of CPU; Python "
          f"{sys.version.split()[0]}, SQLite {sqlite3.sqlite_version}")  # fmt: skip


if __name__ == "__main__":
    main()
