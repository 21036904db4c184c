"""The table of an issue's life in the documentation is the one that the program goes by."""

from __future__ import annotations

import re
from pathlib import Path

from upcycle_news.models import IssueState
from upcycle_news.storage.issue_lifecycle import TRANSITIONS

PAGE = Path(__file__).resolve().parents[2] / "docs/architecture.md"


def documented() -> dict[str, dict[IssueState, IssueState]]:
    """Return the transitions of the page, by the name of their event."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## The life of an issue\n")[2]
    rows = re.findall(r"^\| ([a-z ]+) \| .+ \| (.+→.+) \|$", section.partition("\n## ")[0], re.M)
    return {event: dict(_steps(text)) for event, text in rows if event != "event"}


def _steps(text: str) -> list[tuple[IssueState, IssueState]]:
    return [
        (IssueState(before.strip()), IssueState(after.strip()))
        for part in text.split(";")
        for befores, after in [part.split("→")]
        for before in befores.split(",")
    ]


def test_the_page_lists_every_event_with_its_transitions() -> None:
    assert documented() == {event.value: dict(states) for event, states in TRANSITIONS.items()}
