"""Check that the corpus of related items is sound. Standard library only.

    python bench/related/validate.py

Prints the counts per essay; ends with 1 and one line per fault if anything is wrong.
"""

import difflib
import json
import random
import re
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path

HERE = Path(__file__).resolve().parent
SPLIT_SEED = "upcycle-news issue 3"
ESSAYS, ITEMS = 12, 220
RELATED = range(10, 26)  # per essay
ESSAY_WORDS = range(180, 351)
SUMMARY_CHARS = range(60, 321)
COPIED_WORDS = 5  # so many words in a row, taken from an essay, are too many


def load(name):
    def unique_keys(pairs):
        seen = dict(pairs)
        if len(seen) != len(pairs):
            raise ValueError(f"{name}: a key occurs twice")
        return seen

    return json.loads((HERE / name).read_text(encoding="utf-8"), object_pairs_hook=unique_keys)


def words(text):
    return re.findall(r"\w+", text.lower())


def runs(text, length=COPIED_WORDS):
    """Return every run of `length` words of a text."""
    all_words = words(text)
    return {tuple(all_words[i : i + length]) for i in range(len(all_words) - length + 1)}


def check(essays, items, judgements, split):
    """Yield every fault as one sentence."""
    essay_ids = [essay["id"] for essay in essays]
    item_ids = [item["id"] for item in items]
    for what, ids in (("essay", essay_ids), ("item", item_ids)):
        for twin in (i for i, n in Counter(ids).items() if n > 1):
            yield f"{what} id {twin} occurs twice"
    if len(essays) < ESSAYS:
        yield f"only {len(essays)} essays"
    if len(items) < ITEMS:
        yield f"only {len(items)} items"

    for essay in essays:
        if set(essay) != {"id", "title", "topics", "body"} or not essay["topics"]:
            yield f"essay {essay['id']}: fields are not id, title, topics, body"
        if len(essay["body"].split()) not in ESSAY_WORDS:
            yield f"essay {essay['id']}: {len(essay['body'].split())} words"
    for item in items:
        if set(item) != {"id", "feed", "title", "summary"} or not all(item.values()):
            yield f"item {item['id']}: fields are not id, feed, title, summary, or one is empty"
        if len(item["summary"]) not in SUMMARY_CHARS:
            yield f"item {item['id']}: summary of {len(item['summary'])} characters"
        if not 1 <= len(re.findall(r"[.!?](?:\s|$)", item["summary"])) <= 3:
            yield f"item {item['id']}: summary is not one to three sentences"
        if len(item["title"]) > 110:
            yield f"item {item['id']}: title of {len(item['title'])} characters"

    for first, second in combinations(items, 2):
        left, right = first["title"].lower(), second["title"].lower()
        if difflib.SequenceMatcher(None, left, right).ratio() > 0.75:
            yield f"items {first['id']} and {second['id']} have nearly the same title"
        if first["summary"] == second["summary"]:
            yield f"items {first['id']} and {second['id']} have the same summary"
    essay_runs = {essay["id"]: runs(essay["body"]) for essay in essays}
    for item in items:
        for text in (item["title"], item["summary"]):
            for essay_id, known in essay_runs.items():
                for copied in runs(text) & known:
                    yield f"item {item['id']} copies {essay_id}: {' '.join(copied)}"

    if set(judgements) != set(essay_ids):
        yield "judgements are not for exactly the essays there are"
    for essay_id, grades in judgements.items():
        for item_id, grade in grades.items():
            if item_id not in item_ids:
                yield f"judgement {essay_id}/{item_id}: no such item"
            if type(grade) is not int or grade not in (1, 2):
                yield f"judgement {essay_id}/{item_id}: {grade!r} is neither 1 nor 2"
        if len(grades) not in RELATED:
            yield f"essay {essay_id}: {len(grades)} related items"

    parts = split["tuning"] + split["untouched"]
    if sorted(parts) != sorted(essay_ids) or len(split["untouched"]) * 3 != len(essays):
        yield "the split does not put every essay into one part, a third of them untouched"
    drawn = random.Random(SPLIT_SEED).sample(sorted(essay_ids), len(essays) // 3)
    if sorted(drawn) != sorted(split["untouched"]):
        yield f"the untouched third is not the one drawn with the seed {SPLIT_SEED!r}"


def report(faults):
    """Print the faults; return the exit code."""
    for fault in faults:
        print("fault:", fault, file=sys.stderr)
    return 1 if faults else 0


def main():
    essays, items, judgements, split = (
        load(f"{name}.json") for name in ("essays", "items", "judgements", "split")
    )
    faults = list(check(essays, items, judgements, split))
    for essay in essays:
        grades = Counter(judgements.get(essay["id"], {}).values())
        part = "untouched" if essay["id"] in split["untouched"] else "tuning"
        print(
            f"{essay['id']:16} {part:10} {len(essay['body'].split()):4} words"
            f" {grades[2]:4} of grade 2 {grades[1]:4} of grade 1 {grades.total():4} in all"
        )
    related = {item_id for grades in judgements.values() for item_id in grades}
    print(
        f"{len(essays)} essays, {len(items)} items from {len({i['feed'] for i in items})} feeds,"
        f" {len(related)} related to an essay, {len(items) - len(related)} to none"
    )
    return report(faults)


if __name__ == "__main__":
    sys.exit(main())
