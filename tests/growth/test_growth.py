"""What commands ask of the store as readers, items and issues become more: what must not grow does not.

Each command runs in two publications that differ in one thing. Rows read are counted as instructions of SQLite's
virtual machine: each row or index entry takes at least one, and other work on the machine changes none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from itertools import count
from pathlib import Path

import pytest

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.feeds.parser import parse_feed
from upcycle_news.models import EmailAddress, Feed
from upcycle_news.services.feeds.collect import collect_feeds
from upcycle_news.services.feeds.item_recognition import marking
from upcycle_news.storage import feeds
from upcycle_news.storage.feeds import FeedState
from upcycle_news.storage.subscribers import NewSubscriber, group_members

from ..bounces.inbox_folder import make_inbox
from ..feeds.feed_site import site
from ..publications import Publication, create_publication, today
from ..services.feeds.weekly import rss
from ..storage.query_cost import QueryCost, query_cost
from ..web.http_api.api_client import api_client
from .grown import add_history, add_items, essay_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SMALL = {"issues": 8, "readers": 60, "items": 120}
MORE = {"issues": 16, "readers": 120, "items": 180}
Question = Callable[[Publication], object]
_NUMBERS = count()


@dataclass(frozen=True)
class Growth:
    """How many instructions one more of each may cost a command."""

    issues: int = 0
    readers: int = 0
    items: int = 0


def command(*arguments: str) -> Question:
    return lambda publication: publication.run(*arguments)


def of_context(question: Callable[[AppContext], object]) -> Question:
    return lambda publication: question(publication.context())


def of_app(question: Callable[[App], object]) -> Question:
    return lambda publication: question(App(publication.context()))


def asking(path: str, scope: str) -> Question:
    def ask(publication: Publication) -> object:
        with api_client(publication.context()) as api:
            name = f"{scope.replace(':', '-')}-{next(_NUMBERS)}"
            return api.done("GET", path, secret=api.app.tokens.create(name, [scope]).secret)

    return ask


def collect_bounces(publication: Publication) -> object:
    make_inbox(publication)
    return publication.run("bounces", "collect", INBOX__MAILDIR="inbox")


def import_list(publication: Publication) -> object:
    rows = "".join(f"new{number}@example.org\n" for number in range(20))
    (publication.home / "new.csv").write_text(f"email\n{rows}", encoding="utf-8")
    return publication.run("subscribers", "import", "new.csv", "--consent", "Liste, 2026")


# In this order: one goes on with what those before it left.
COMMANDS: dict[str, tuple[Question, Growth]] = {
    "issue status": (command("issue", "status"), Growth()),
    "issue status --list": (command("issue", "status", "--list", "rejected"), Growth()),
    "subscribers show": (command("subscribers", "show", "reader5@example.org"), Growth(issues=20)),
    "subscribers list": (command("subscribers", "list"), Growth(readers=25)),
    "subscribers stats": (command("subscribers", "stats"), Growth(issues=60, readers=80)),
    "subscribers export": (command("subscribers", "export"), Growth(readers=30)),
    "subscribers import": (import_list, Growth()),
    "editors' group": (of_context(lambda one: group_members(one.store, "redaktion")), Growth()),
    "bounces collect": (collect_bounces, Growth()),
    "metrics": (command("metrics"), Growth(issues=120, readers=20, items=2)),
    "deliver-pending": (of_app(lambda app: (app.runs.find_pending(), app.runs.halted())), Growth()),
    "watch, a look": (of_app(lambda app: app.runs.due()), Growth()),
    "watch, a check": (
        of_app(lambda app: (app.runs.alert_events(), app.runs.send_reminders())),
        Growth(readers=10, items=2),
    ),
    "GET /subscribers": (asking("/subscribers?limit=20", "subscribers:read"), Growth()),
    "GET /issues": (asking("/issues?limit=5", "issues:read"), Growth()),
    "GET /events": (asking("/events?limit=20", "events:read"), Growth()),
    "essay list": (command("essay", "list"), Growth(issues=140)),
    "issue plan": (command("issue", "plan"), Growth(issues=120, readers=70, items=100)),
    "issue preview": (
        command("issue", "preview", "--no-collect"),
        Growth(issues=30, readers=140, items=100),
    ),
    "check": (command("check"), Growth(issues=120, items=100)),
    "doctor --offline": (command("doctor", "--offline"), Growth(issues=120, items=100)),
    "subscribers tidy": (command("subscribers", "tidy"), Growth(issues=15)),
}


WRITE_ONCE = ("watch, a check", "GET /events", "subscribers tidy")


@dataclass(frozen=True)
class Cost:
    """What a command asked of the store."""

    statements: int
    instructions: int


def grow(home: Path, sizes: dict[str, int]) -> Publication:
    """Create a publication of these sizes, with an essay that is due today and a group of editors."""
    day = date.fromisoformat(today())
    now = datetime.combine(day, time(6, 30), UTC)
    publication = Publication(create_publication(home), lambda: now)
    publication.add_many_subscribers(sizes["readers"])
    publication.add_subscribers(
        NewSubscriber(EmailAddress("redaktion@example.org"), groups=("redaktion",))
    )
    add_items(publication, sizes["items"], now=now)
    add_history(publication, sizes["issues"], before=day)
    publication.write_essay(text=essay_text())
    return publication


def costs(publication: Publication) -> Mapping[str, Cost]:
    """Run all commands in a publication; those that write something once are counted the second time."""
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPCYCLE_NEWS_HOME", str(publication.home))
        patch.chdir(publication.home)
        for name, (question, _) in COMMANDS.items():
            if name in WRITE_ONCE:
                question(publication)
            with query_cost() as cost:
                question(publication)
            found[name] = Cost(len(cost.statements), cost.instructions)
    return found


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Cost]:
    ours = logging.getLogger("upcycle_news")
    level = ours.level  # which commands set, and which stays for the tests of other modules
    try:
        with grow(tmp_path_factory.mktemp("growth") / "small", SMALL) as publication:
            return costs(publication)
    finally:
        ours.setLevel(level)


@pytest.mark.parametrize("kind", SMALL)
def test_no_command_costs_more_than_what_it_is_about_grows(
    tmp_path: Path, small: Mapping[str, Cost], kind: str
) -> None:
    with grow(tmp_path / "large", {**SMALL, kind: SMALL[kind] + MORE[kind]}) as publication:
        large = costs(publication)
    grown = [
        _too_much(name, small[name], large[name], kind, getattr(allowed, kind))
        for name, (_, allowed) in COMMANDS.items()
    ]
    assert not any(grown), list(filter(None, grown))


def _too_much(name: str, small: Cost, large: Cost, kind: str, allowed: int) -> str:
    """Return by how much a command grows more than it may, empty where it does not."""
    more = (large.instructions - small.instructions) / MORE[kind]
    if more > allowed:
        return f"{name}: {more:.1f} instructions for one more of the {kind}, at most {allowed}"
    # Look-ups have five hundred values each: where items or slugs are looked up, there may be more of them.
    chunks = 4 if allowed else 0
    if large.statements > small.statements + chunks:
        return f"{name}: {small.statements} statements became {large.statements}"
    return ""


@pytest.mark.parametrize("age_days", [3, None], ids=["dated", "undated"])
def test_an_item_that_a_feed_brought_once_costs_a_collection_nothing(
    tmp_path: Path, age_days: int | None
) -> None:
    """Its links differ in their query alone, and every fifth title is the same."""
    few, many = (collection_cost(tmp_path / str(old), old, age_days=age_days) for old in (150, 450))
    assert len(many.statements) == len(few.statements)
    assert many.instructions - few.instructions < 30, "a tenth of an instruction for each item"


def collection_cost(home: Path, old: int, *, age_days: int | None) -> QueryCost:
    """Return what it costs to collect a feed of thirty items, one of them new, after so many old ones."""
    publication = Publication(create_publication(home), lambda: now)
    with site() as server, publication.context(FEEDS__ALLOW_PRIVATE="true") as context:
        feed = Feed("Rathaus", f"{server.url}/feed.xml")
        (publication.home / "content/feeds.toml").write_text(
            f'[[feeds]]\nname = "{feed.name}"\nurl = "{feed.url}"\n', encoding="utf-8"
        )
        entries = [
            {
                "title": f"Beschluss {number}" if number % 5 else "Aus dem Rathaus",
                "link": f"https://rathaus.example/index.php?id={number}",
                "guid": f"meldung-{number}",
                "text": f"Im Saal {number} fiel der Beschluss. Gezählt wurden {number} Stimmen.",
                "age_days": age_days and age_days + number,
            }
            for number in range(old + 31)  # the newest first
        ]
        now = datetime.combine(date.fromisoformat(today()), time(6, 30), UTC)
        body = parse_feed(
            rss(entries[31:], now), url=feed.url, content_type="text/xml", feed=feed, now=now
        )
        state = FeedState(feed.url, feed.name, succeeded_at=now)
        feeds.record(context.store, state, body.items, now=now, marking=marking())
        for shown in (entries[1:31], entries[:30]):
            server.pages["/feed.xml"] = rss(shown, now)
            with query_cost() as cost:
                report = collect_feeds(context, everything=True)
        assert (report.failed, report.items) == ((), 1)
    return cost


def test_what_is_counted_grows_where_a_command_reads_everything(small: Mapping[str, Cost]) -> None:
    """The count itself: nobody lists all readers without reading each."""
    assert small["subscribers list"].instructions >= SMALL["readers"]
    assert small["issue preview"].instructions >= SMALL["items"]
