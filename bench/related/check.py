"""Check that the second or the third set of related items is sound. Standard library only.

    python bench/related/check.py second
    python bench/related/check.py third

Prints the counts per essay; ends with 1 and one line per fault if anything is wrong.
"""

import argparse
import difflib
import re
import sys
from collections import Counter
from itertools import combinations
from typing import NamedTuple

from validate import load, report, runs

RELATED = range(10, 26)  # per essay of this set, from both pools
NEW_RELATED = range(10, 17)  # of these from the items of this set
ESSAY_WORDS = range(250, 601)
SUMMARY_CHARS = range(40, 321)


class Kind(NamedTuple):
    """What a set has to be: ids begin with these letters, `unrelated` items belong to no essay."""

    earlier: list[str]  # folders of the sets before it, below this one
    judged_earlier: str
    essay: str
    item: str
    essays: int
    items: int
    unrelated: int


SETS = {
    "second": Kind([""], "judgements_first_essays", "e", "j", 6, 160, 60),
    "third": Kind(["", "second/"], "judgements_earlier_essays", "f", "k", 9, 200, 70),
}


def check_essays(kind, essays):
    for number, essay in enumerate(essays, 1):
        if set(essay) != {"id", "title", "topics", "body"}:
            yield f"essay {number}: fields are not id, title, topics, body"
            continue
        if essay["id"] != f"{kind.essay}{number:03d}":
            yield f"essay {number} has the id {essay['id']}"
        if len(essay["topics"]) not in range(3, 7):
            yield f"essay {essay['id']}: {len(essay['topics'])} topics"
        if len(essay["body"].split()) not in ESSAY_WORDS:
            yield f"essay {essay['id']}: {len(essay['body'].split())} words"
    if len(essays) != kind.essays:
        yield f"{len(essays)} essays"


def check_items(kind, items, earlier_items, load_publication_essays):
    for number, item in enumerate(items, 1):
        if set(item) != {"id", "feed", "title", "summary"} or not all(item.values()):
            yield f"item {number}: fields are not id, feed, title, summary, or one is empty"
            continue
        if item["id"] != f"{kind.item}{number:03d}":
            yield f"item {number} has the id {item['id']}"
        if len(item["summary"]) not in SUMMARY_CHARS:
            yield f"item {item['id']}: summary of {len(item['summary'])} characters"
        if not 1 <= len(re.findall(r"[.!?](?:\s|$)", item["summary"])) <= 3:
            yield f"item {item['id']}: summary is not one to three sentences"
        if len(item["title"]) > 110:
            yield f"item {item['id']}: title of {len(item['title'])} characters"
    if len(items) < kind.items:
        yield f"only {len(items)} items"
    pairs = [
        *combinations(items, 2),
        *((first, second) for first in items for second in earlier_items),
    ]
    for first, second in pairs:
        left, right = first["title"].lower(), second["title"].lower()
        if difflib.SequenceMatcher(None, left, right).ratio() > 0.75:
            yield f"items {first['id']} and {second['id']} have nearly the same title"
        if first["summary"] == second["summary"]:
            yield f"items {first['id']} and {second['id']} have the same summary"
    known = {essay["id"]: runs(essay["body"]) for essay in load_publication_essays}
    for item in [*items, *earlier_items]:
        for text in (item["title"], item["summary"]):
            for essay_id, essay_runs in known.items():
                for copied in runs(text) & essay_runs:
                    yield f"item {item['id']} copies {essay_id}: {' '.join(copied)}"


def check_judgements(name, judgements, essay_ids, item_ids):
    if list(judgements) != essay_ids:
        yield f"{name} is not for exactly the essays there are, in their order"
    for essay_id, grades in judgements.items():
        if list(grades) != sorted(grades):
            yield f"{name}/{essay_id}: items are not in order"
        for item_id, grade in grades.items():
            if item_id not in item_ids:
                yield f"{name}: {essay_id}/{item_id}: no such item"
            if type(grade) is not int or grade not in (1, 2):
                yield f"{name}: {essay_id}/{item_id}: {grade!r} is neither 1 nor 2"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=SETS)
    name = parser.parse_args().name
    kind = SETS[name]
    essays, items = load(f"{name}/essays.json"), load(f"{name}/items.json")
    judgements, judgements_earlier = (
        load(f"{name}/judgements.json"),
        load(f"{name}/{kind.judged_earlier}.json"),
    )
    earlier_essays = [essay for set_ in kind.earlier for essay in load(f"{set_}essays.json")]
    earlier_items = [item for set_ in kind.earlier for item in load(f"{set_}items.json")]
    new = {item["id"] for item in items}
    old = {item["id"] for item in earlier_items}
    earlier_ids = [essay["id"] for essay in earlier_essays]

    faults = [
        *check_essays(kind, essays),
        *check_items(kind, items, earlier_items, essays + earlier_essays),
        *check_judgements("judgements", judgements, [essay["id"] for essay in essays], new | old),
        *check_judgements(kind.judged_earlier, judgements_earlier, earlier_ids, new),
    ]
    for essay_id, grades in judgements.items():
        if len(grades) not in RELATED or len(new & set(grades)) not in NEW_RELATED:
            faults.append(f"essay {essay_id}: {len(grades)} related items")
    related = {
        i for grades in (*judgements.values(), *judgements_earlier.values()) for i in grades
    } & new
    if len(new) - len(related) < kind.unrelated:
        faults.append(f"only {len(new) - len(related)} items are related to none")

    for essay_id, grades in (*judgements.items(), *judgements_earlier.items()):
        by_grade = Counter(grades.values())
        print(
            f"{essay_id:16} {by_grade[2]:4} of grade 2 {by_grade[1]:4} of grade 1"
            f" {len(grades):4} in all, {len(new & set(grades)):4} of them new items"
        )
    print(
        f"{len(essays)} essays, {len(items)} items from {len({i['feed'] for i in items})} feeds,"
        f" {len(related)} related to any of the {len(essays) + len(earlier_essays)} essays,"
        f" {len(new) - len(related)} to none"
    )
    return report(faults)


if __name__ == "__main__":
    sys.exit(main())
