"""What turns red is told once, and again only after it was green."""

from __future__ import annotations

from upcycle_news.diagnostics.results import Line, Report, State
from upcycle_news.diagnostics.scheduled import (
    RED,
    check_up,
    told,
    turned_red,
)
from upcycle_news.storage import coordination

from ..publications import Publication, relay_at


def report(**states: str) -> Report:
    """One line a check, underscores are hyphens."""
    found = tuple(
        Line(check.replace("_", "-"), State(state), f"{check} is {state}", "so", "mend it", "x")
        for check, state in states.items()
    )
    return Report((("group", found),))


def test_what_turns_red_is_told_once_until_it_was_green(publication: Publication) -> None:
    context = publication.context()

    def news(**states: str) -> list[str]:
        return [line.check for line in turned_red(context, report(**states))]

    assert news(spf="ok", mx="ok") == []
    assert news(spf="problem", mx="ok") == ["spf"]
    assert news(spf="problem", mx="problem") == ["mx"]
    assert news(spf="problem", mx="problem") == []
    assert news(spf="warning", mx="problem") == []
    assert news(spf="problem", mx="problem") == ["spf"]


def test_what_was_not_looked_at_stays_as_it_was(publication: Publication) -> None:
    context = publication.context()
    assert turned_red(context, report(spf="problem"))
    assert not turned_red(context, report(spf="skipped"))
    assert not turned_red(context, report(spf="problem"))
    # A check that only speaks when something is wrong is green when it is silent.
    assert not turned_red(context, report(mx="ok"))
    assert turned_red(context, report(spf="problem"))


def test_two_faults_of_one_subject_are_one_alarm_with_both(publication: Publication) -> None:
    context = publication.context()
    [first] = report(spf="problem").lines
    both = Report((("dns", (first, first)),))
    assert len(turned_red(context, both)) == 2
    assert turned_red(context, both) == ()
    assert coordination.ringing(context.store, RED) == ("spf x",)


def test_a_store_that_is_red_itself_remembers_nothing(publication: Publication) -> None:
    context = publication.context()
    told_lines = turned_red(context, report(store_check="problem", spf="problem"))
    assert len(told_lines) == 2
    assert coordination.ringing(context.store, RED) == ()


def test_the_state_of_a_run_says_what_is_wrong() -> None:
    assert told(report(spf="ok")).name == "Completed"
    red = told(report(spf="problem", mx="warning"))
    assert red.name == "Degraded"
    assert red.message == "1 problem, 1 warning: spf is problem"


def test_a_checkup_tells_the_operators_with_the_cure(publication: Publication) -> None:
    first = check_up(publication.context(**relay_at(9)))
    assert first.told.name == "Degraded"
    assert first.event is not None
    event = first.event.as_event()
    assert event["event"] == RED
    assert "check host and port, or start it" in event["payload"]["message"]
    assert "@" not in str(event) + first.table + first.told.message
    assert "| problem | the relay 127.0.0.1:9 cannot be reached" in first.table
    again = check_up(publication.context(**relay_at(9)))
    assert (again.told.name, again.event) == ("Degraded", None)
    assert check_up(publication.context()).event is None
