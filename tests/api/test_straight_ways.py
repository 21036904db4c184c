"""How often a revision is loaded, the content chosen and preflight run for one issue.

Counted by wrappers that call what they count. A step is a command, or a task of a flow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from upcycle_news.api.runs import EssayFilter, Runs
from upcycle_news.curation import selection
from upcycle_news.models import IssueStatus
from upcycle_news.services.issues import render
from upcycle_news.storage import manifest_json

from ..publications import Publication

Result = TypeVar("Result")
LOADS, CHOICES, PREFLIGHTS = "loads", "choices", "preflights"


class StepCounts:
    """The counts of each step, by its name."""

    def __init__(self) -> None:
        self.current: Counter[str] = Counter()
        self.steps: dict[str, tuple[int, int, int]] = {}

    def wrap(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            self.current[name] += 1
            return function(*arguments, **options)

        return counted

    def step(self, name: str, run: Callable[[], Result]) -> Result:
        self.current.clear()
        result = run()
        counts = self.current
        self.steps[name] = (counts[LOADS], counts[CHOICES], counts[PREFLIGHTS])
        return result


@pytest.fixture
def step_counts(monkeypatch: pytest.MonkeyPatch) -> Iterator[StepCounts]:
    counts = StepCounts()
    for name, module, function in (
        (LOADS, manifest_json, "decode"),
        (CHOICES, selection, "select_candidates"),
        (PREFLIGHTS, render, "preflight"),
    ):
        monkeypatch.setattr(module, function, counts.wrap(name, getattr(module, function)))
    return counts


def test_one_issue_by_commands_is_chosen_once_and_loaded_once_a_step(
    publication: Publication, step_counts: StepCounts
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    for name in ("preview", "show", "approve", "send", "status"):
        options = ("--no-open",) if name == "preview" else ()
        output = step_counts.step(name, lambda: publication.run("issue", name, *options).out)  # noqa: B023
    assert "alle Zustellungen sind abgerechnet" in output
    assert step_counts.steps == {
        "preview": (0, 1, 1),  # what was composed is rendered, not what was stored
        "show": (1, 0, 1),
        "approve": (1, 0, 1),
        "send": (1, 0, 1),
        "status": (0, 0, 0),
    }


def test_an_issue_approved_while_it_is_sent_is_never_loaded(
    publication: Publication, step_counts: StepCounts
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    step_counts.step("send", lambda: publication.run("issue", "send", "--yes"))
    assert step_counts.steps == {"send": (0, 1, 1)}
    assert len(publication.mails()) == 3


def test_the_archive_loads_each_earlier_issue_once(
    publication: Publication, step_counts: StepCounts
) -> None:
    publication.write_essay("Eins")
    publication.add_many_subscribers(1)
    publication.run("issue", "send", "--yes")
    publication.write_essay("Zwei")
    step_counts.step("send", lambda: publication.run("issue", "send", "--yes"))
    assert step_counts.steps == {"send": (1, 1, 1)}


def test_one_issue_by_a_flow_is_chosen_once_and_loaded_once_a_step(
    publication: Publication, step_counts: StepCounts
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    planned_at = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)

    def step(name: str, run: Callable[[Runs], Result]) -> Result:
        return step_counts.step(name, lambda: run(Runs(publication.context())))

    issue = step(
        "admit",
        lambda runs: runs.admit("next", planned_at=planned_at, run="one", max_lateness_hours=12),
    ).issue
    collected = step("collect", lambda runs: runs.collect())
    revision = step(
        "compose", lambda runs: runs.compose(issue, EssayFilter(), run="one")
    ).revision_id
    step("render", lambda runs: runs.render(issue, revision))
    form = step("ask", lambda runs: runs.ask(issue, revision, run="one"))
    answer = {"decision": "send", "name": "Anna"}
    outcome = step("answer", lambda runs: runs.apply_answer(issue, revision, form.request, answer))
    assert outcome.approved
    step("enqueue", lambda runs: runs.enqueue(issue, revision, run="one"))
    status: IssueStatus = step("deliver", lambda runs: runs.deliver(issue))
    assert status.closed
    step("report", lambda runs: (runs.report(issue, collected), runs.alert_events()))
    step("pending", lambda runs: runs.pending())
    assert step_counts.steps == {
        "admit": (0, 0, 0),
        "collect": (0, 0, 0),
        "compose": (0, 1, 0),
        "render": (1, 0, 1),
        "ask": (1, 0, 1),
        "answer": (1, 0, 1),
        "enqueue": (1, 0, 1),
        "deliver": (1, 0, 0),
        "report": (1, 0, 0),
        "pending": (0, 0, 0),
    }
