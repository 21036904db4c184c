"""What it costs to build the archive, with few issues and with many: everything, one new issue, nothing new.

    .venv/bin/python bench/archive.py [--few 10] [--many 1000]

Processor seconds, revisions loaded from the store, and issues rendered (an issue is three essays of 700
words). "Published" is one more issue, as it is sent: its pages before its queue. In a temporary folder,
which needs about 400 kB an issue.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.publications import Publication, create_publication
from tests.services.archive import sent_history

from upcycle_news.app.context import AppContext
from upcycle_news.archive_site.issue_pages import IssuePages
from upcycle_news.services.archive.build import build_archive, with_issue_published
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.storage import revisions

NOW = datetime(2026, 11, 26, 6, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Cost:
    """Processor seconds, loaded revisions and rendered issues of a build."""

    seconds: float
    loaded: int
    rendered: int


def main() -> None:
    """Print a line for each kind of build."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--many", type=int, default=1000)
    arguments = parser.parse_args()
    few, many = (costs_with(count) for count in (arguments.few, arguments.many))
    print(f"| build | {arguments.few} issues | {arguments.many} issues | seconds, as a multiple |")
    print("|---|---|---|--:|")
    for name, cost in many.items():
        before = few[name]
        factor = cost.seconds / before.seconds
        print(f"| {name} | {_cell(before)} | {_cell(cost)} | {factor:.1f} |")


def costs_with(count: int) -> dict[str, Cost]:
    """Return what builds cost in a publication with so many issues."""
    with tempfile.TemporaryDirectory() as folder:
        publication = Publication(create_publication(Path(folder) / "umbaupost"), lambda: NOW)
        with publication:
            context = publication.context()
            build_archive(context)  # imports, templates compiled
            sent_history.add_history(context, range(count))
            everything = cost_of(lambda: build_archive(context, anew=True))
            sent_history.add_history(context, range(count, count + 1))
            one = cost_of(lambda: build_archive(context))
            nothing = cost_of(lambda: build_archive(context))
            published = cost_of(lambda: publish(context, count + 1))
    return {
        "everything": everything, "one new issue": one, "nothing new": nothing,
        "one issue published": published,
    }  # fmt: skip


def publish(context: AppContext, number: int) -> None:
    """Publish an issue as its sending does, without queueing it."""
    made = sent_history.manifest(number, context.publication, publication_templates(context))
    revision = revisions.save_revision(context.store, made, git_commit="", now=NOW)
    with with_issue_published(context, revision, NOW):
        pass


def cost_of(work: Callable[[], object]) -> Cost:
    """Return what a build costs."""
    load, render, counts = revisions.load_revision, IssuePages.__init__, [0, 0]

    def counted_load(*given: object, **named: object) -> object:
        counts[0] += 1
        return load(*given, **named)  # type: ignore[arg-type]

    def counted_render(*given: object, **named: object) -> None:
        counts[1] += 1
        render(*given, **named)  # type: ignore[arg-type]

    began = time.process_time()
    with (
        patch.object(revisions, "load_revision", counted_load),
        patch.object(IssuePages, "__init__", counted_render),
    ):
        work()
    return Cost(time.process_time() - began, *counts)


def _cell(cost: Cost) -> str:
    return f"{cost.seconds:.2f} s, {cost.loaded} loaded, {cost.rendered} rendered"


if __name__ == "__main__":
    main()
