"""Changes since a preview or an approval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.curation.manifest_diff import (
    ManifestDiff,
    TextChange,
    diff_manifests,
    essay_text,
)
from upcycle_news.models import (
    Essay,
    FeedItem,
    ImageRef,
    IssueId,
    Manifest,
    Related,
    Story,
)
from upcycle_news.models.front_matter import front_matter_keys
from upcycle_news.services.issues import diff
from upcycle_news.services.issues.compose import compose_issue, compose_manifest
from upcycle_news.storage import approvals, revisions
from upcycle_news.storage.feeds import FeedState, record

from ...delivery.memory_ledger import Clock
from ...publications import Publication, approve_issue, send_issue

ISSUE = IssueId.parse("2026-11-26")


def item(number: int, summary: str = "Türen und Fenster.") -> FeedItem:
    link = f"https://bote.example/{number}"
    return FeedItem(
        key=f"tag:{number}", feed="Bote", link=link, canonical=link, title=f"Lager {number}",
        summary=summary, date=datetime(2026, 11, 20, tzinfo=UTC), date_source="feed",
    )  # fmt: skip


def manifest(publication: Publication, *items: FeedItem) -> Manifest:
    composed = compose_manifest(publication.context(), ISSUE)
    related = tuple(Related(Story((entry,)), 1.0) for entry in items)
    return replace(composed, issue=replace(composed.issue, related=related))


def pieces(old: str, new: str) -> list[tuple[str, str]]:
    [(_, words)] = TextChange("text", old, new).words()
    return [(kind, text) for kind, text in words if kind != "same"]


def test_words_are_marked_and_the_rest_of_a_long_paragraph_is_cut() -> None:
    text = "Der Bahnhof der Kleinstadt wird umgebaut. " * 20
    old = f"title: x\n\n{text}Er ist groß."
    new = f"title: x\n\n{text}Er war groß."
    [(line, words)] = TextChange("essay", old, new).words()
    assert line == 3
    assert [word for word in words if word[0] != "same"] == [("out", "ist"), ("in", "war")]
    assert sum(len(text) for _, text in words) < 80


@given(st.text(alphabet="ab \n", max_size=40), st.text(alphabet="ab \n", max_size=40))
def test_no_word_is_lost_between_two_texts(old: str, new: str) -> None:
    from upcycle_news.curation.manifest_diff import _pieces

    words = _pieces(old, new)
    assert "".join(text for kind, text in words if kind != "in") == old
    assert "".join(text for kind, text in words if kind != "out") == new


def another(kind: Any) -> Any:
    """A value of this type that no default has."""
    arguments = [member for member in get_args(kind) if member is not type(None)]
    if type(None) in get_args(kind):
        return another(arguments[0])
    if get_origin(kind) is Literal:
        return arguments[-1]
    if get_origin(kind) is Mapping:
        return {"series": "X", "part": 3, "live": False, "places": [{"town": "X"}]}
    samples = {str: "X", tuple: ("x",), date: date(2026, 1, 2), ImageRef: ImageRef("x.png", "X")}
    return samples[get_origin(kind) or kind]


def test_every_key_of_the_front_matter_is_compared() -> None:
    essay = Essay("a", "a.md", "A", "B", date(2026, 1, 1), "de", "s", "text")
    kinds = get_type_hints(Essay)
    for name in {"body", *front_matter_keys(Essay)} - {"status"}:
        other = replace(essay, **{name: another(kinds[name])})
        assert essay_text(other) != essay_text(essay), name


def test_fields_of_ones_own_are_compared_line_by_line() -> None:
    essay = Essay("a", "a.md", "A", "B", date(2026, 1, 1), "de", "s", "text")
    lines = essay_text(replace(essay, extra=another(Mapping[str, Any]))).splitlines()
    assert [line for line in lines if line.startswith("extra")] == [
        "extra.live: false", "extra.part: 3", "extra.places.1.town: X", "extra.series: X",
    ]  # fmt: skip


def test_each_kind_of_change_is_listed(publication: Publication) -> None:
    publication.write_essay("Bleibt")
    publication.write_essay("Geht")
    old = manifest(publication, item(1), item(2))
    assert diff_manifests(old, old) == ManifestDiff()
    (publication.home / "content/essays/2024-05-02-geht.md").unlink()
    publication.write_essay("Bleibt", text="Ein anderer Text.\n")
    publication.write_essay("Kommt", date="2026-01-01")
    path = publication.home / "templates/partials/closing.mjml"
    path.write_text(path.read_text() + "\n<!-- neu -->\n")
    publication.change_setting('name = "Umbaupost"', 'name = "Umbaupost"\ntagline = "Neu"')
    changes = diff_manifests(old, manifest(publication, item(2, "Fenster."), item(3)))
    assert changes.subject == TextChange("subject", "Bleibt", "Kommt")
    assert [essay.slug for essay in changes.essays_in] == ["kommt"]
    assert [essay.slug for essay in changes.essays_out] == ["geht"]
    assert [entry.name for entry in changes.essays] == ["bleibt"]
    assert [related.story.lead.title for related in changes.items_in] == ["Lager 3"]
    assert [related.story.lead.title for related in changes.items_out] == ["Lager 1"]
    assert pieces(changes.items[0].old, changes.items[0].new) == [("out", "Türen und ")]
    assert [entry.name for entry in changes.templates] == ["partials/closing.mjml"]
    assert [(entry.name, entry.new) for entry in changes.settings] == [("tagline", "Neu")]
    assert changes.manual_changes() == [
        "essay bleibt", "essay geht", "templates/partials/closing.mjml",
        "newsletter.toml",
    ]  # fmt: skip


def test_new_removed_and_changed_pictures_are_named(publication: Publication) -> None:
    publication.write_essay()
    base = manifest(publication)
    old = replace(base, images={"a.png": b"1", "b.png": b"2"})
    new = replace(base, images={"b.png": b"3", "c.png": b"4"})
    assert diff_manifests(old, new).pictures == (
        ("a.png", "dropped"), ("b.png", "changed"), ("c.png", "new"),
    )  # fmt: skip


def test_the_last_preview_is_compared_with_the_content_of_now(publication: Publication) -> None:
    slug = publication.write_essay(text="Der Bahnhof wird umgebaut.\n")
    publication.add_many_subscribers(1)
    issue = publication.run("issue", "preview", "--no-open", "--json").json
    assert "Nichts hat sich geändert" in publication.run("issue", "diff").out
    assert publication.run("issue", "diff", "--json").json["changed"] is False
    publication.write_essay(text="Der Bahnhof wird abgerissen.\n")
    result = publication.run("issue", "diff")
    assert "[-umgebaut-]{+abgerissen+}" in result.out
    assert f"würde abgelehnt: essay {slug}" in result.err
    lines = publication.run("issue", "diff", "--lines").out
    assert "    -Der Bahnhof wird umgebaut." in lines
    assert "    +Der Bahnhof wird abgerissen." in lines
    changes = publication.run("issue", "diff", issue["issue"], "--json").json
    assert (changes["from"], changes["to"], changes["changed"]) == (issue["hash"], "now", True)
    assert not changes["approval_holds"]
    assert [essay["name"] for essay in changes["essays"]["changed"]] == [slug]
    assert changes["essays"]["in"] == changes["essays"]["out"] == changes["settings"] == []


def test_an_approval_is_compared_with_a_later_preview_and_with_now(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    context = publication.context()
    approved = approve_issue(context)[1].revision_id
    publication.write_essay(text="Zweiter Text.\n")
    clock.now += timedelta(minutes=1)
    later = compose_issue(context, ISSUE).revision_id
    publication.write_essay(text="Dritter Text.\n")
    compared = diff.diff_issue(context, ISSUE, "approval", "preview")
    assert (compared.old, compared.new) == (approved, later)
    assert "Zweiter Text." in compared.difference.essays[0].new
    compared = diff.diff_issue(context, ISSUE, approved[:8], "now")
    assert "Dritter Text." in compared.difference.essays[0].new
    assert not diff.diff_issue(context, ISSUE, later, later).difference


def test_items_that_come_and_go_need_no_new_approval(publication: Publication) -> None:
    publication.write_essay("Bahnhof und Kleinstadt")
    listed = publication.home / "content/feeds.toml"
    listed.write_text('[[feeds]]\nname = "Bote"\nurl = "https://bote.example/feed"\n')
    context = publication.context()
    revision_id = compose_issue(context, ISSUE).revision_id
    news = replace(item(1, "Der Bahnhof der Kleinstadt wird umgebaut."), title="Bahnhof")
    record(
        context.store, FeedState("https://bote.example/feed", "Bote"), [news], now=context.clock()
    )
    compared = diff.diff_issue(context, ISSUE, "preview", "now")
    assert [related.story.lead.title for related in compared.difference.items_in] == ["Bahnhof"]
    assert compared.voids == ""
    approvals.exclude_items(context.store, ISSUE, [news.key, news.canonical])
    assert not diff.diff_issue(context, ISSUE, "preview", "now").difference
    assert revisions.load_revision(context.store, ISSUE, revision_id)


def test_a_sent_issue_is_frozen_and_says_so(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    send_issue(publication.context())
    publication.write_essay(text="Zu spät.\n")
    output = publication.run("issue", "diff", str(ISSUE)).out
    assert "steht fest" in output
    changes = publication.run("issue", "diff", str(ISSUE), "--json").json
    assert (changes["frozen"], changes["changed"]) == (True, False)


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("2026-11-25",), 1, "Es gibt noch keine Ausgabe 2026-11-25"),
        (
            ("2026-11-26", "--from", "approval"),
            1,
            "Von Ausgabe 2026-11-26 wurde noch keine Revision freigegeben",
        ),
        (("2026-11-26", "--from", "abcdef"), 1, "hat keine Revision „abcdef“"),
        (("2026-11-26",), 3, "Kein neuer Essay"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_sentence(
    publication: Publication, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    slug = publication.write_essay()
    compose_issue(publication.context(), ISSUE)
    (publication.home / f"content/essays/2024-05-02-{slug}.md").unlink()
    assert sentence in publication.run("issue", "diff", *arguments, code=code).err
