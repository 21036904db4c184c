"""A new problem raises one event, and another one only after the check was green."""

from __future__ import annotations

from upcycle_news.diagnostics.results import CheckResult, Report, State
from upcycle_news.diagnostics.scheduled import (
    RED_EVENT,
    check_up,
    new_problems,
    run_result,
)
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.storage import alerts

from ..publications import Publication, relay_variables


def said(text: str) -> LocalizedText:
    return localized("untranslated", text=text)


def report(**states: str) -> Report:
    """Return a report with one result a check; underscores stand for hyphens."""
    results = tuple(
        CheckResult(
            check.replace("_", "-"),
            State(state),
            *map(said, (f"{check} is {state}", "so", "fix it")),
            "x",
        )
        for check, state in states.items()
    )
    return Report((("group", results),))


def test_a_problem_is_reported_once_until_it_was_green(publication: Publication) -> None:
    context = publication.context()

    def raised(**states: str) -> list[str]:
        return [result.check for result in new_problems(context, report(**states))]

    assert raised(spf="ok", mx="ok") == []
    assert raised(spf="problem", mx="ok") == ["spf"]
    assert raised(spf="problem", mx="problem") == ["mx"]
    assert raised(spf="problem", mx="problem") == []
    assert raised(spf="warning", mx="problem") == []
    assert raised(spf="problem", mx="problem") == ["spf"]


def test_a_skipped_check_keeps_its_state(publication: Publication) -> None:
    context = publication.context()
    assert new_problems(context, report(spf="problem"))
    assert not new_problems(context, report(spf="skipped"))
    assert not new_problems(context, report(spf="problem"))
    # A check without a result is green: some only have one when something is wrong.
    assert not new_problems(context, report(mx="ok"))
    assert new_problems(context, report(spf="problem"))


def test_two_findings_of_one_subject_are_one_alert_with_both(publication: Publication) -> None:
    context = publication.context()
    [first] = report(spf="problem").results
    twice = Report((("dns", (first, first)),))
    assert len(new_problems(context, twice)) == 2
    assert new_problems(context, twice) == ()
    assert alerts.open_alerts(context.store, RED_EVENT) == ("spf x",)


def test_a_damaged_store_records_no_alerts(publication: Publication) -> None:
    context = publication.context()
    problems = new_problems(context, report(store_check="problem", spf="problem"))
    assert len(problems) == 2
    assert alerts.open_alerts(context.store, RED_EVENT) == ()


def test_the_run_result_names_the_problems() -> None:
    assert run_result(report(spf="ok")).name == "Completed"
    degraded = run_result(report(spf="problem", mx="warning"))
    assert degraded.name == "Degraded"
    assert degraded.message == "1 problem, 1 warning: spf is problem"


def test_the_event_of_a_checkup_holds_the_fix(publication: Publication) -> None:
    first = check_up(publication.context(**relay_variables(9)))
    assert first.result.name == "Degraded"
    assert first.event is not None
    event = first.event.as_event()
    assert event["event"] == RED_EVENT
    assert (
        "Zu tun ist: Prüfen Sie host und port, oder starten Sie es." in event["payload"]["message"]
    )
    assert "@" not in str(event) + first.table + first.result.message
    assert "| Problem | Das Relay 127.0.0.1:9 ist nicht erreichbar" in first.table
    again = check_up(publication.context(**relay_variables(9)))
    assert (again.result.name, again.event) == ("Degraded", None)
    assert check_up(publication.context()).event is None
