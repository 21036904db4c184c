"""`issue status --history` says what happened to an issue, by whom and when."""

from __future__ import annotations

import getpass

from ..publications import Publication, today


def test_the_history_of_an_issue_names_each_step_its_author_and_its_revision(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    publication.run("issue", "preview", "--no-open")
    publication.run("issue", "approve")
    publication.run("issue", "reject")
    publication.run("issue", "send", "--yes")
    events = publication.run("issue", "status", today(), "--history", "--json").lines
    assert [(event["event"], event["from"], event["to"]) for event in events] == [
        ("composed", "open", "open"),
        ("approved", "open", "approved"),
        ("rejected", "approved", "open"),
        ("approved", "open", "approved"),
        ("queued", "approved", "sending"),
        ("closed", "sending", "closed"),
    ]
    person = getpass.getuser()
    assert [event["by"] for event in events[1:5]] == [person] * 4
    assert {event["hash"] for event in events[:5]} == {events[0]["hash"]} != {""}
    lines = publication.run("issue", "status", "--history").out.splitlines()
    assert len(lines) == len(events)
    assert f"abgelehnt     von {person}; jetzt offen; Revision " in lines[2]
    assert "@" not in "".join(lines)


def test_the_history_is_not_a_list_of_deliveries(publication: Publication) -> None:
    refused = publication.run("issue", "status", "--history", "--list", "sent", code=2).err
    assert "--history und --list sind zwei Listen: Nehmen Sie eine davon." in refused
