"""What commands ask of the store as readers, items and issues become more: what must not grow does not.

Each command runs in publications that differ in one thing. Rows read are counted as instructions of SQLite's
virtual machine, and work outside the store as calls of Python's functions.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.storage.subscribers import NewSubscriber, group_members
from upcycle_news.models import EmailAddress

from ..bounces import sample_reports
from ..bounces.inbox_folder import make_inbox, put
from ..publications import Publication, create_publication, today
from ..storage.query_cost import query_cost
from ..web.http_api.api_client import api_client
from .grown import add_history, add_items, essay_text

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SMALL = {"issues": 10, "readers": 100, "items": 300}
LARGE = {"issues": 40, "readers": 400, "items": 1200}


@dataclass(frozen=True)
class Cost:
    """What a command asked: statements, instructions, and calls of functions."""

    statements: int
    instructions: int
    calls: int


def command(*arguments: str) -> Callable[[Publication], object]:
    return lambda publication: publication.run(*arguments)


def of_context(question: Callable[[AppContext], object]) -> Callable[[Publication], object]:
    return lambda publication: question(publication.context())


def of_app(question: Callable[[App], object]) -> Callable[[Publication], object]:
    return lambda publication: question(App(publication.context()))


def asking(path: str, scope: str) -> Callable[[Publication], object]:
    def ask(publication: Publication) -> object:
        with api_client(publication.context()) as api:
            return api.done("GET", path, scope)

    return ask


def collect_bounces(publication: Publication) -> object:
    make_inbox(publication)
    put(publication, sample_reports.postfix("post@umbaupost.example.net", "reader5@example.org"))
    return publication.run("bounces", "collect", INBOX__MAILDIR="inbox")


def import_list(publication: Publication) -> object:
    rows = "".join(f"new{number}@example.org\n" for number in range(20))
    (publication.home / "new.csv").write_text(f"email\n{rows}", encoding="utf-8")
    return publication.run("subscribers", "import", "new.csv", "--consent", "Liste, 2026")


COMMANDS: dict[str, Callable[[Publication], object]] = {
    "issue status": command("issue", "status"),
    "issue status --list": command("issue", "status", "--list", "rejected"),
    "issue plan": command("issue", "plan"),
    "issue preview": command("issue", "preview"),
    "essay list": command("essay", "list"),
    "check": command("check"),
    "doctor --offline": command("doctor", "--offline"),
    "subscribers show": command("subscribers", "show", "reader5@example.org"),
    "subscribers list": command("subscribers", "list"),
    "subscribers stats": command("subscribers", "stats"),
    "subscribers export": command("subscribers", "export"),
    "subscribers import": import_list,
    "subscribers tidy": command("subscribers", "tidy"),
    "editors' group": of_context(lambda context: group_members(context.store, "redaktion")),
    "bounces collect": collect_bounces,
    "metrics": command("metrics"),
    "report": command("report"),
    "deliver-pending": of_app(lambda app: (app.runs.find_pending(), app.runs.halted())),
    "watch": of_app(lambda app: (app.runs.due(), app.runs.alert_events(), app.runs.send_reminders())),
    "GET /subscribers": asking("/subscribers?limit=20", "subscribers:read"),
    "GET /issues": asking("/issues", "issues:read"),
    "GET /events": asking("/events?limit=20", "events:read"),
    "issue send": command("issue", "send", "--yes"),
}


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


def costs(publication: Publication) -> dict[str, Cost]:
    """Run all commands, each in a copy of the publication as those before it left it."""
    return {name: cost_of(publication, run) for name, run in COMMANDS.items()}


def cost_of(publication: Publication, run: Callable[[Publication], object]) -> Cost:
    calls = 0

    def count(_frame: FrameType, what: str, _argument: Any) -> None:
        nonlocal calls
        calls += what == "call"

    with query_cost() as cost:
        sys.setprofile(count)
        try:
            run(publication)
        finally:
            sys.setprofile(None)
    return Cost(len(cost.statements), cost.instructions, calls)
