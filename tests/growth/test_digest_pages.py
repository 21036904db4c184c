"""A build of the archive renders the pages of the digests that changed, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.archive_site.issue_pages import IssuePages
from upcycle_news.archive_site.search_index import SearchIndex
from upcycle_news.models import Manifest
from upcycle_news.services.archive.build import build_archive
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.storage import corrections, revisions
from upcycle_news.storage.corrections import Correction, CorrectionKind

from ..publications import Publication, create_publication
from ..services.archive import sent_history

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
TOLD = 2
"""Issues that a digest tells."""


@dataclass
class Made:
    """What a build made: pages of digests and of issues, revisions that it loaded, indexes it began anew."""

    digests: int = 0
    issues: int = 0
    loaded: int = 0
    indexes: int = 0


@contextmanager
def counting() -> Iterator[Made]:
    made = Made()
    load, render, index = revisions.load_revision, IssuePages.__init__, SearchIndex.of

    def counted_load(*arguments: object, **named: object) -> object:
        made.loaded += 1
        return load(*arguments, **named)  # type: ignore[arg-type]

    def counted_render(self: IssuePages, *arguments: object, **named: object) -> None:
        render(self, *arguments, **named)  # type: ignore[arg-type]
        if any("-d1/" in path for path in self.html):
            made.digests += 1
        else:
            made.issues += 1

    def counted_index(*arguments: object) -> SearchIndex:
        made.indexes += 1
        return index(*arguments)  # type: ignore[arg-type]

    with (
        patch.object(revisions, "load_revision", counted_load),
        patch.object(IssuePages, "__init__", counted_render),
        patch.object(SearchIndex, "of", counted_index),
    ):
        yield made


def manifests(context: AppContext, numbers: range) -> list[Manifest]:
    templates = publication_templates(context)
    return [
        sent_history.manifest(number, context.publication, templates, essays=1, words=40)
        for number in numbers
    ]


def add_digests(context: AppContext, numbers: range) -> None:
    """Store digests with the issues that they tell."""
    for number in numbers:
        told = manifests(context, range(number * TOLD, (number + 1) * TOLD))
        for made in (*told, sent_history.digest_of(told)):
            sent_history.add_sent_issue(context, made)


def decide(context: AppContext, number: int, kind: CorrectionKind) -> None:
    """Let an editor decide about an issue."""
    [made] = manifests(context, range(number, number + 1))
    at = sent_history.sent_at(sent_history.day_of(200))
    corrections.add_correction(
        context.store, Correction(made.issue.id, kind, "", "Ein Hinweis.", "Ada", at)
    )


def builds(home: Path, digests: int) -> dict[str, Made]:
    """Return what builds make after each of some events, in a publication with so many digests."""
    found = {}
    with Publication(create_publication(home), lambda: NOW) as publication:
        context = publication.context()
        add_digests(context, range(digests))
        with counting() as made:
            build_archive(context)
        assert made.digests == digests
        events = {
            "nothing": lambda: None,
            "a new issue": lambda: sent_history.add_sent_issue(
                context, *manifests(context, range(100, 101))
            ),
            "a new digest": lambda: sent_history.add_sent_issue(
                context, sent_history.digest_of(manifests(context, range(100, 101)))
            ),
            "a withdrawal": lambda: decide(context, 1, CorrectionKind.WITHDRAWAL),
            "its return": lambda: decide(context, 1, CorrectionKind.RETURN),
        }
        for name, event in events.items():
            event()
            with counting() as made:
                build_archive(context)
            found[name] = made
        with counting() as made:
            build_archive(context, anew=True)
        assert made.digests == digests + 1
    return found


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    return builds(tmp_path_factory.mktemp("few") / "home", 4)


def test_a_build_renders_the_digests_that_changed_and_no_other(few: dict[str, Made]) -> None:
    assert {name: made.digests for name, made in few.items()} == {
        "nothing": 0,
        "a new issue": 0,
        "a new digest": 1,
        "a withdrawal": 1,
        "its return": 1,
    }


def test_a_new_digest_renders_no_issue_and_indexes_nothing_anew(few: dict[str, Made]) -> None:
    made = few["a new digest"]
    assert (made.issues, made.indexes) == (0, 0)
    assert made.loaded == 2, "itself and the issue that it tells"


def test_more_digests_cost_a_build_nothing(tmp_path: Path, few: dict[str, Made]) -> None:
    assert builds(tmp_path / "home", 12) == few
