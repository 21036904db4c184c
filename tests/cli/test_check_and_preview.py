"""`check`, and `issue preview --watch`."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from upcycle_news.models import (
    FeedItem,
    IssueId,
    Manifest,
    Related,
    Story,
)
from upcycle_news.services.issues import approval
from upcycle_news.services.issues.compose import compose_manifest
from upcycle_news.services.issues.render import check_manifest, render_revision
from upcycle_news.storage import revisions

from ..publications import Publication

ISSUE = IssueId.parse("2026-11-26")
LINE = re.compile(r"[^:\n]+:\d+: (?:error|warning) [a-z-]+ .+")


def write(publication: Publication, path: str, text: str) -> None:
    (publication.home / path).write_text(text, encoding="utf-8")


def broken_essay(publication: Publication) -> None:
    publication.write_essay(date="gestern")


def broken_feeds(publication: Publication) -> None:
    write(publication, "content/feeds.toml", "[[feeds]]\nname = 1\n")


def broken_template(publication: Publication) -> None:
    write(publication, "templates/newsletter.txt", "{% if lead %}\n")


def broken_picture(publication: Publication) -> None:
    publication.write_essay(text="![Ein Haus](haus.png)")
    write(publication, "content/images/haus.png", "kein Bild")


def missing_picture(publication: Publication) -> None:
    publication.write_essay(text="Erst Text.\n\n![Ein Haus](haus.png)")


def no_sender(publication: Publication) -> None:
    publication.write_essay()
    publication.change_setting('address = "post@umbaupost.example.net"', "")


def no_address(publication: Publication) -> None:
    publication.write_essay()
    publication.change_setting('public_url = "https://umbaupost.example.net"', "")


def no_imprint(publication: Publication) -> None:
    publication.write_essay()
    publication.change_setting("lines = [", "lines = [] # [")


def nothing_new(publication: Publication) -> None:
    del publication


def misspelt(publication: Publication) -> None:
    publication.write_essay()
    path = publication.home / "templates/partials/lead.mjml"
    path.write_text(path.read_text() + "{% if lead.titel %}{% endif %}\n")


CASES: list[tuple[str, str, int, Callable[[Publication], None]]] = [
    ("essay", "content/essays/gestern-was-vom-bahnhof-bleibt.md:4", 1, broken_essay),
    ("feeds", "content/feeds.toml:2", 1, broken_feeds),
    ("template", "templates/newsletter.txt:1", 1, broken_template),
    ("image", "content/images/haus.png:1", 1, broken_picture),
    ("image-missing", "content/essays/2024-05-02-was-vom-bahnhof-bleibt.md:10", 1, missing_picture),
    ("sender-missing", "newsletter.toml:5", 1, no_sender),
    ("public-url-missing", "newsletter.toml:1", 1, no_address),
    ("imprint-missing", "newsletter.toml:1", 1, no_imprint),
    ("variable-unknown", "templates/partials/lead.mjml", 1, misspelt),
    ("nothing-new", "content:1", 0, nothing_new),
]


@pytest.mark.parametrize(
    ("code", "place", "exit_code", "case"), CASES, ids=[case[0] for case in CASES]
)
def test_check_names_file_line_and_code(
    publication: Publication,
    code: str,
    place: str,
    exit_code: int,
    case: Callable[[Publication], None],
) -> None:
    case(publication)
    lines = publication.run("check", code=exit_code).out.splitlines()
    assert len(lines) == 1
    assert LINE.fullmatch(lines[0]), lines
    assert lines[0].startswith(place)
    assert lines[0].split()[2] == code
    (finding,) = publication.run("check", "--json", code=exit_code).lines
    assert finding["code"] == code
    assert lines[0].startswith(f"{finding['file']}:{finding['line']}: {finding['level']}")


def test_wrong_usage_of_check_exits_with_2(publication: Publication) -> None:
    publication.run("check", "--jsn", code=2)


def test_check_stores_nothing(publication: Publication) -> None:
    publication.write_essay()
    publication.run("check")
    with publication.context() as context:
        assert revisions.load_revision(context.store, IssueId(context.today)) is None


def test_an_essay_and_an_item_are_sent_in_one_issue_only(publication: Publication) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    with publication.context() as context:
        before = compose_manifest(context, ISSUE)
        story = Related(Story((ITEM,)), 1.0)
        before = replace(before, issue=replace(before.issue, related=(story,)))
        assert check_manifest(context, before) == ()
        revisions.save_revision(context.store, before, git_commit="", now=context.clock())
        sent_with(context, before)
        later = replace(before, issue=replace(before.issue, id=IssueId.parse("2026-11-27")))
        assert [finding.code for finding in check_manifest(context, later)] == [
            "essay-sent",
            "item-sent",
        ]
        assert check_manifest(context, before) == ()


ITEM = FeedItem(
    key="tag:1",
    feed="Bote",
    link="https://bote.example/1",
    canonical="https://bote.example/1",
    title="Ein Lager öffnet",
    summary="Türen und Fenster.",
    date=datetime(2026, 11, 25, tzinfo=UTC),
    date_source="feed",
)


def sent_with(context: object, manifest: Manifest) -> None:
    from upcycle_news.app.context import AppContext
    from upcycle_news.services.delivery import send

    assert isinstance(context, AppContext)
    newest = revisions.load_revision(context.store, manifest.issue.id)
    assert newest is not None
    rendered = render_revision(context, newest)
    approval.approve(context, rendered, by="test", composed_now=True)
    send.enqueue(context, rendered)


@pytest.mark.slow
def test_watching_renders_again_at_every_save(publication: Publication) -> None:
    slug = publication.write_essay()
    arguments = ("issue", "preview", "--watch", "--no-open", "--no-collect", "--json")
    with publication.start(*arguments) as process:
        assert process.stdout is not None and process.stderr is not None
        first = json.loads(process.stdout.readline())
        assert first["essays"] == [slug]
        page = publication.home / "var/issues" / first["issue"] / "preview.html"
        assert 'http-equiv="refresh"' in page.read_text(encoding="utf-8")
        publication.write_essay("Neu am Markt", date="2024-05-03")
        second = json.loads(process.stdout.readline())
        assert second["hash"] != first["hash"]
        assert second["essays"] == ["neu-am-markt", slug]
        # A mistake does not end the watching: it is printed, and the next save is rendered.
        path = publication.home / "templates/partials/closing.mjml"
        good = path.read_text(encoding="utf-8")
        publication.change_setting(
            'name = "Umbaupost"', 'name = "Umbaupost"\nclosing_note = "Bis bald"'
        )
        third = json.loads(process.stdout.readline())
        path.write_text("{{ nichts }}", encoding="utf-8")
        while "nichts" not in process.stderr.readline():
            pass
        path.write_text(good, encoding="utf-8")
        assert json.loads(process.stdout.readline())["hash"] == third["hash"]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert "nicht mehr beobachtet" in process.stderr.read()


def test_an_ignored_file_among_the_essays_is_reported(publication: Publication) -> None:
    publication.write_essay()
    (publication.home / "content/essays/notiz.txt").write_text("Ein Essay, ohne Endung.")
    (publication.home / "content/essays/.DS_Store").write_bytes(b"x")
    output = publication.run("check", "2026-11-26").out
    assert "content/essays/notiz.txt:1: warning essay-stray" in output
    assert "DS_Store" not in output
