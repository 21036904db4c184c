"""CPU seconds of choosing items for two essays, among 500, 2,000, 6,000 and 20,000 that feeds of 30 brought.

    python bench/choosing.py                        the sizes above
    python bench/choosing.py 500 20000              other sizes
    PYTHONPATH=CLONE/src python bench/choosing.py    the same with another version's code and vocabulary

The items are pieced together from the texts of bench/related, some reworded from another one, so that
stories and concepts occur as in feeds. Grouping into stories is a part of choosing and shown apart.
The last column tells whether two versions chose the same.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import upcycle_news
from upcycle_news.curation.ranking import score_stories
from upcycle_news.curation.selection import SelectionLimits, select_candidates
from upcycle_news.curation.story_clusters import cluster_stories
from upcycle_news.curation.vocabulary import load_vocabulary
from upcycle_news.models import Essay, Feed, FeedItem, Story

CORPUS = Path(__file__).resolve().parent / "related"
CODE = Path(upcycle_news.__file__).resolve().parents[2]
DAY = date(2026, 11, 26)
NEWEST = datetime(2026, 11, 26, tzinfo=UTC)
SIZES = (500, 2000, 6000, 20000)
PER_FEED, SPANS, WORDS_IN_SPAN, WORDS_IN_TITLE = 30, 6, 8, 8
REPEATED = 0.03  # of the items tell, reworded, what another one tells


def load(name: str):
    return json.loads((CORPUS / f"{name}.json").read_text(encoding="utf-8"))


def items_of(count: int, seed: int = 1) -> list[FeedItem]:
    """Return `count` items of spans of the corpus, dated within four weeks."""
    rng = random.Random(seed)
    sources = [
        f"{item['title']} {item['summary']}".split()
        for name in ("items", "second/items", "third/items")
        for item in load(name)
    ]
    texts: list[list[str]] = []
    for _ in range(count):
        if texts and rng.random() < REPEATED:
            words = list(rng.choice(texts))
            for _ in range(rng.randrange(6)):
                words[rng.randrange(len(words))] = rng.choice(rng.choice(sources))
        else:
            words = []
            for _ in range(SPANS):
                source = rng.choice(sources)
                start = rng.randrange(max(1, len(source) - WORDS_IN_SPAN))
                words += source[start : start + WORDS_IN_SPAN]
        texts.append(words)
    return [
        FeedItem(
            key=f"k{number}", feed=f"Feed {number % (count // PER_FEED)}",
            link=f"https://example.org/{number}", canonical=f"https://example.org/{number}",
            title=" ".join(words[:WORDS_IN_TITLE]), summary=" ".join(words[WORDS_IN_TITLE:]),
            date=NEWEST - timedelta(minutes=rng.randrange(60 * 24 * 28)), date_source="feed",
        )
        for number, words in enumerate(texts)
    ]  # fmt: skip


def essays() -> list[Essay]:
    return [
        Essay(
            slug=essay["id"], source="", title=essay["title"], author="", date=DAY, language="de",
            summary="", body=essay["body"], topics=tuple(essay["topics"]),
        )
        for essay in load("essays")[:2]
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES, help="numbers of items")
    sizes = parser.parse_args().sizes
    vocabulary = load_vocabulary(CODE / "content/vocabulary.toml", CODE)
    written = essays()
    warm_up = [Story((item,)) for item in items_of(PER_FEED)]
    score_stories(written, warm_up, today=DAY, vocabulary=vocabulary)  # compiles the vocabulary
    print("| items | stories | grouping, s | choosing, s | chosen |\n|--:|--:|--:|--:|---|")
    for size in sizes:
        items = items_of(size)
        feeds = [Feed(name=name, url="https://example.org/") for name in {i.feed for i in items}]
        began = time.process_time()
        stories = cluster_stories(items)
        grouped = time.process_time()
        candidates = select_candidates(
            written, items, set(), feeds, SelectionLimits(), DAY, vocabulary
        )
        chosen = " ".join(c.story.lead.key for c in candidates if c.chosen)
        seconds = grouped - began, time.process_time() - grouped
        digest = sha256(chosen.encode()).hexdigest()[:8]
        print(f"| {size} | {len(stories)} | {seconds[0]:.2f} | {seconds[1]:.2f} | {digest} |")


if __name__ == "__main__":
    main()
