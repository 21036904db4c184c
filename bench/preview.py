"""`issue preview` from the command to its end, with 500 and with 6,000 items of the last four weeks in the store.

    .venv/bin/python bench/preview.py [--items 500,6000] [--rounds 3]

CPU seconds of the whole process, the least of the rounds after one that is not counted. Ends with 1 when the
last size takes more than twice the first.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from datetime import UTC, date, datetime, time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from tests.growth.grown import add_items, essay_text
from tests.publications import Publication, create_publication, today
from thursday import step

MOST = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", default="500,6000")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    figures = []
    print("| items | CPU s | seconds |\n|--:|--:|--:|")
    for amount in map(int, options.items.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            publication = grown(Path(folder) / "publication", amount)
            rounds = [
                step(publication, ("issue", "preview", "--no-collect"))
                for _ in range(options.rounds + 1)
            ]
        cpu, seconds = min(rounds[1:])
        print(f"| {amount:,} | {cpu:.2f} | {seconds:.2f} |", flush=True)
        figures.append(cpu)
    ratio = figures[-1] / figures[0]
    print(f"\n{ratio:.2f} times (aim: at most {MOST})")
    return int(ratio > MOST)


def grown(home: Path, amount: int) -> Publication:
    now = datetime.combine(date.fromisoformat(today()), time(), UTC)
    publication = Publication(create_publication(home), lambda: now)
    publication.add_many_subscribers(20)
    add_items(publication, amount, now=now)
    publication.write_essay(text=essay_text())
    os.environ["UPCYCLE_NEWS_HOME"] = str(home)
    return publication


if __name__ == "__main__":
    sys.exit(main())
