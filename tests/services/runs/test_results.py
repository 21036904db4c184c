"""Results of runs: whole sentences in the publication's language, and green only for what is done."""

from __future__ import annotations

from upcycle_news.models import DeliveryState, IssueState, IssueStatus
from upcycle_news.models.runs import RunResult
from upcycle_news.services.runs.deliver import ResumedDelivery
from upcycle_news.services.runs.results import delivery_result, publish_result


def status(**counts: int) -> IssueStatus:
    states = {DeliveryState(state): count for state, count in counts.items()}
    return IssueStatus("2026-11-26", "r", sum(counts.values()), states, IssueState.CLOSED)


def test_a_sent_issue_is_completed_in_each_language() -> None:
    result = publish_result(status(sent=1200, rejected=2), language="de")
    assert (result.kind, result.name) == ("completed", "Completed")
    assert result.message == "Ausgabe 2026-11-26: an 1.200 von 1.202 verschickt, 2 abgelehnt"
    english = publish_result(status(sent=3)).message
    assert english == "issue 2026-11-26: sent to 3 of 3"


def test_an_issue_with_unknown_deliveries_is_not_green_and_names_the_command() -> None:
    result = publish_result(status(sent=4, unknown=1), language="de")
    assert (result.kind, result.name) == ("failed", "Unknown")
    assert "upcycle-news issue resend 2026-11-26 --state unknown" in result.message
    later = delivery_result([ResumedDelivery(status(sent=4, unknown=1))], language="de")
    assert (later.kind, later.name) == ("cancelled", "Halted")
    assert "1 ungewiss" in later.message


def test_nothing_is_pending_only_when_nothing_waits() -> None:
    assert delivery_result([], language="de").name == "NothingPending"
    halted = delivery_result([], halted=("Ausgabe 2026-11-26 ist angehalten.",), language="de")
    assert (halted.kind, halted.name) == ("cancelled", "Halted")
    assert halted.message == "Ausgabe 2026-11-26 ist angehalten."


STOPPED = "Ausgabe 2026-11-25 ist angehalten."


def test_a_stopped_issue_is_not_shown_as_done_beside_one_whose_relay_is_away() -> None:
    away = ResumedDelivery(status(queued=5), "Ausgabe 2026-11-26: Das Relay antwortet nicht.")
    both = delivery_result([away], halted=[STOPPED], language="de")
    assert (both.kind, both.name) == ("cancelled", "Halted")
    assert STOPPED in both.message and "Das Relay antwortet nicht" in both.message
    assert delivery_result([away], language="de").name == "RelayAway"


def test_what_waits_for_an_hour_says_until_when() -> None:
    waits = ResumedDelivery(status(queued=5), goes_on="das Sendefenster öffnet um 08:00 Uhr")
    result = delivery_result([waits], language="de")
    assert (result.kind, result.name) == ("completed", "WaitsForItsHour")
    assert result.message.endswith("5 in der Warteschlange, das Sendefenster öffnet um 08:00 Uhr")


def test_an_issue_of_a_day_to_come_is_not_nothing() -> None:
    waiting = ["Ausgabe 2026-12-03 ist freigegeben und wartet auf ihren Tag."]
    result = delivery_result([], language="de", waiting=waiting)
    assert (result.kind, result.name, result.message) == ("completed", "WaitsForItsDay", waiting[0])
    beside = delivery_result([], halted=[STOPPED], language="de", waiting=waiting)
    assert (beside.name, beside.message) == ("Halted", f"{STOPPED}; {waiting[0]}")


def test_a_send_hold_is_not_shown_as_done() -> None:
    hold = RunResult("failed", "SendHold", "Es geht nichts hinaus.")
    result = delivery_result([], hold, language="de")
    assert (result.kind, result.name, result.message) == ("cancelled", "SendHold", hold.message)
