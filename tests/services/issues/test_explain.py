"""`issue explain`: why an item is in the issue, and why another is not."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import pytest

from upcycle_news.app.context import utc_now
from upcycle_news.models import IssueId
from upcycle_news.services.issues import compose

from ...feeds.feed_site import site
from ...feeds.hostile_bodies import item, rss

OPEN = {"FEEDS__ALLOW_PRIVATE": "true"}


@pytest.fixture
def collected(publication):
    """A publication with two feeds: matching, unrelated, old and duplicate items."""
    publication.write_essay(
        "Leerstand als Einladung",
        "Der Leerstand in der Innenstadt wächst. Läden werden zu Werkstätten umgebaut.",
        topics="[Leerstand, Innenstadt]",
    )
    # Of a feed that is fetched for the first time, items without a date are not news.
    dated = f"<pubDate>{format_datetime(utc_now() - timedelta(hours=1))}</pubDate>"
    matching = item("Innenstadt: Werkstatt statt Leerstand im alten Laden", "https://a.example/1",
                    more=dated)  # fmt: skip
    unrelated = item("Handball: Sieg im Derby", "https://a.example/2", "Der Torwart hielt alles.",
                     more=dated)  # fmt: skip
    old = item("Leerstand in der Innenstadt, einst", "https://a.example/3",
               more="<pubDate>Thu, 08 Oct 2026 10:00:00 +0200</pubDate>")  # fmt: skip
    duplicate = item("Innenstadt: Werkstatt statt Leerstand im alten Laden", "https://b.example/1",
                     more=dated)  # fmt: skip
    with site() as first, site() as second:
        first.feed, second.feed = rss(matching, unrelated, old), rss(duplicate)
        path = publication.home / "content/feeds.toml"
        path.write_text(
            f'[[feeds]]\nname = "Blatt"\nurl = "{first.url}/plain"\nweight = 2.0\n'
            f'[[feeds]]\nname = "Bote"\nurl = "{second.url}/plain"\n',
            encoding="utf-8",
        )
        publication.run("feeds", "collect", **OPEN)
        yield publication


def day(publication) -> str:
    return utc_now().date().isoformat()


def test_every_candidate_is_shown_the_best_first(collected):
    lines = collected.run("issue", "explain", day(collected), "--json").lines
    first = lines[0]
    assert first["chosen"] is True
    assert first["essay"] == "leerstand-als-einladung"
    assert first["item"] == "https://a.example/1"
    reasons = " ".join(first["reasons"])
    assert all(word in reasons for word in ("Innenstadt", "Leerstand", "Werkstatt"))
    assert first["why_not"] is None
    assert first["also"] == ["Bote"]
    why_not = {line["item"]: line["why_not"] for line in lines[1:]}
    assert why_not["https://a.example/2"] == "no word is shared"
    shown = collected.run("issue", "explain", day(collected)).out
    assert "ja " in shown
    assert "teilt Innenstadt" in shown or "teilt Leerstand" in shown


def test_a_pinned_item_is_in_however_old_it_is(collected):
    path = next((collected.home / "content/essays").glob("*.md"))
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("status:", "pin: [https://a.example/3]\nstatus:"), encoding="utf-8"
    )
    context = collected.context(ISSUE__MAX_AGE_DAYS="1")
    composed = compose.compose_issue(context, IssueId.parse(day(collected)))
    assert composed.manifest.issue.related[0].story.lead.link == "https://a.example/3"
    lines = collected.run("issue", "explain", day(collected), "--json").lines
    assert lines[0]["pinned"]


def test_the_preview_says_why_an_item_was_chosen_and_the_mail_does_not(collected):
    issue = day(collected)
    collected.run("issue", "preview", issue, "--no-collect", "--no-open")
    folder = collected.home / "var/issues" / issue
    page = (folder / "preview.html").read_text(encoding="utf-8")
    assert "Warum diese Meldungen" in page
    assert "<code>Blatt</code>" not in (folder / "issue.html").read_text(encoding="utf-8")
    why = page.partition("Warum diese Meldungen")[2].partition("</details>")[0]
    assert "<code>Blatt</code>" in why
    assert "Innenstadt" in why.partition("</code>")[2]
