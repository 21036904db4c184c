"""What the next issues would contain, and when: the schedule, the clock change, what stands against it."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from upcycle_news.errors import SettingsError
from upcycle_news.models import IssueId
from upcycle_news.prefect_api.schedules import Schedule, next_times, read_schedules
from upcycle_news.services.issues import approval, plan
from upcycle_news.services.issues.essay_filter import EssayFilter
from upcycle_news.services.runs import steps
from upcycle_news.services.runs.admission import admit_run

from ...delivery.memory_ledger import Clock
from ...publications import Publication, approve_issue, send_issue

BERLIN = ZoneInfo("Europe/Berlin")


def weekly(cron: str = "30 7 * * 4", **parameters: object) -> Schedule:
    return Schedule("publish-issue/thursday", cron, "Europe/Berlin", parameters)


def statuses_of(publication: Publication) -> dict[str, str]:
    """Return the status of each essay by slug."""
    statuses, _ = plan.essay_statuses(publication.context())
    return {row.essay.slug: f"{row.status} {row.issue or ''}".strip() for row in statuses}


@pytest.mark.parametrize(
    ("start", "hours"),
    [("2027-03-20", ["06:30", "05:30", "05:30"]), ("2026-10-20", ["05:30", "06:30", "06:30"])],
)
def test_a_schedule_keeps_its_local_time_across_the_clock_change(
    start: str, hours: list[str]
) -> None:
    after = datetime.fromisoformat(start).replace(tzinfo=BERLIN)
    times = [at for at, _ in islice(next_times([weekly()], after), 3)]
    assert [f"{at:%H:%M}" for at in times] == hours  # in UTC
    assert {f"{at.astimezone(BERLIN):%a %H:%M}" for at in times} == {"Thu 07:30"}


@pytest.mark.prefect
@pytest.mark.parametrize("cron", ["30 7 * * 4", "10 7-9 * * *", "0 9 1-7 * 1", "0 18 * * mon-fri"])
@pytest.mark.parametrize("start", ["2027-03-26", "2026-10-23"])
def test_scheduled_times_are_those_of_prefect(cron: str, start: str) -> None:
    from prefect.server.schemas.schedules import CronSchedule

    after = datetime.fromisoformat(start).replace(tzinfo=BERLIN) + timedelta(seconds=1)
    expected = asyncio.run(CronSchedule(cron=cron, timezone="Europe/Berlin").get_dates(60, after))
    times = [at for at, _ in islice(next_times([weekly(cron)], after), 60)]
    assert times == [datetime.fromtimestamp(at.timestamp(), UTC) for at in expected]


def test_essays_are_planned_by_date_and_never_for_two_issues(
    publication: Publication, clock: Clock
) -> None:
    publication.change_setting("[retry]", "[issue]\nessays = 1\n\n[retry]")
    publication.add_many_subscribers(1)
    publication.write_essay("Alt", date="2026-11-20")
    publication.write_essay("Neu", date="2026-11-25")
    publication.write_essay("Morgen", date="2026-12-03")
    publication.write_essay("Entwurf").join(["", ""])
    path = publication.home / "content/essays/2024-05-02-entwurf.md"
    path.write_text(path.read_text().replace("status: ready", "status: draft"))
    issue_plan = plan.plan_issues(publication.context(), 4)
    planned = [(str(row.issue), [essay.slug for essay in row.essays]) for row in issue_plan.issues]
    assert planned == [
        ("2026-11-26", ["neu"]),
        ("2026-12-03", ["morgen"]),
        ("2026-12-10", ["alt"]),
        ("2026-12-17", []),
    ]
    assert issue_plan.issues[0].problems == ()
    assert issue_plan.issues[0].items == ()
    assert [row.items for row in issue_plan.issues[1:]] == [None] * 3
    assert "Nichts Neues" in issue_plan.issues[3].problems[0]
    assert any(note.startswith("Ein Entwurf kommt") for note in issue_plan.notes)
    assert statuses_of(publication) == {
        "morgen": "planned 2026-12-03",
        "neu": "planned 2026-11-26",
        "alt": "planned 2026-12-10",
        "entwurf": "draft",
    }


def test_a_run_composes_the_planned_issue(publication: Publication, clock: Clock) -> None:
    publication.write_essay("Erst", date="2026-11-20")
    publication.write_essay("Dann", date="2026-11-26")
    context = publication.context()
    planned, *_ = plan.plan_issues(context, 1).issues
    assert planned.at == datetime(2026, 11, 26, 6, 30, tzinfo=UTC)
    clock.now = planned.at
    admission = admit_run(
        publication.context(), "next", planned_at=planned.at, run="one", max_lateness_hours=12
    )
    assert admission.issue == str(planned.issue)
    composed = steps.compose(context, IssueId.parse(admission.issue), EssayFilter(), run="one")
    from upcycle_news.storage import revisions

    revision = revisions.load_revision(context.store, planned.issue, composed.revision_id)
    assert revision is not None
    assert revision.manifest.issue.essays == planned.essays
    assert revision.manifest.issue.related == planned.items


def test_after_an_issue_of_today_the_next_one_has_its_own_number(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay("Von Hand")
    publication.add_many_subscribers(1)
    send_issue(publication.context())
    publication.write_essay("Nach Plan")
    [first] = plan.plan_issues(publication.context(), 1).issues
    assert str(first.issue) == "2026-11-26-2"  # it is seven; the schedule says half past
    assert statuses_of(publication) == {
        "von-hand": "published 2026-11-26",
        "nach-plan": "planned 2026-11-26-2",
    }


def test_an_issue_that_waits_for_its_approval_keeps_its_essays(
    publication: Publication, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    context = publication.context()
    issue = IssueId.parse("2026-11-26")
    revision = steps.compose(context, issue, EssayFilter(), run="one").revision_id
    steps.render(context, issue, revision)
    approval.request_approval(context, issue, revision, run="one")
    clock.now += timedelta(hours=2)
    waiting, upcoming = plan.plan_issues(publication.context(), 1).issues
    assert (str(waiting.issue), waiting.at) == ("2026-11-26", None)
    assert waiting.state == "wartet bis Samstag, 28. November, 07:00 Uhr auf die Freigabe"
    assert (str(upcoming.issue), upcoming.essays) == ("2026-12-03", ())
    approve_issue(publication.context())
    assert plan.plan_issues(publication.context(), 1).issues[0].state == "freigegeben"


def test_problems_of_the_next_issue_are_named(publication: Publication) -> None:
    publication.write_essay("Fertig", date="2026-11-20")
    publication.change_setting('address = "post@umbaupost.example.net"', "")
    [first] = plan.plan_issues(publication.context(), 1).issues
    problems = " | ".join(first.problems)
    assert "sender-missing" in problems
    assert "Niemand bekäme sie" in problems
    publication.write_essay("Kaputt", date="gestern")
    [first] = plan.plan_issues(publication.context(), 1).issues
    assert "content/essays/gestern-kaputt.md:4: „date“ ist kein Datum" in first.problems[0]


def test_topics_in_a_schedules_parameters_select_essays(publication: Publication) -> None:
    expected = publication.write_essay("Bestand", topics="[bestand]")
    publication.write_essay("Verkehr", topics="[verkehr]")
    path = publication.home / "prefect.yaml"
    path.write_text(
        path.read_text().replace("approve: false", "approve: true\n      topics: [bestand]", 1)
    )
    [first] = plan.plan_issues(publication.context(), 1).issues
    assert [essay.slug for essay in first.essays] == [expected]
    assert first.schedule is not None
    assert not first.schedule.needs_approval


def test_without_a_schedule_the_plan_says_so_and_shows_todays_issue(
    publication: Publication,
) -> None:
    publication.write_essay()
    (publication.home / "prefect.yaml").unlink()
    issue_plan = plan.plan_issues(publication.context(), 3)
    [by_hand] = issue_plan.issues
    assert (by_hand.issue, by_hand.at) == (IssueId.parse("2026-11-26"), None)
    assert len(by_hand.essays) == 1
    assert "kein Termin" in issue_plan.notes[0]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("deployments: [", "prefect.yaml:1: is not YAML here"),
        ("name: x\n", "prefect.yaml: has no list of deployments"),
        ("CRON", "prefect.yaml:37: publish-issue/thursday: 'every thursday' is not a cron"),
        ("ZONE", "is not a time zone"),
        ("INTERVAL", "only schedules with 'cron'"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    original = (Path(__file__).parents[3] / "prefect.yaml").read_text()
    changed = {
        "CRON": original.replace('"30 7 * * 4"', '"every thursday"'),
        "ZONE": original.replace("timezone: Europe/Berlin", "timezone: Europe/Bärlin", 1),
        "INTERVAL": original.replace('cron: "30 7 * * 4"', "interval: 3600"),
    }.get(text, text)
    (tmp_path / "prefect.yaml").write_text(changed)
    with pytest.raises(SettingsError, match=re.escape(complaint)):
        read_schedules(tmp_path)


def test_issue_plan_prints_text_and_json(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(1)
    lines = publication.run("issue", "plan", "--count", "2").out.splitlines()
    assert re.match(
        r"Ausgabe \d{4}-\d\d-\d\d  Donnerstag, .*, 07:30 Uhr \(Europe/Berlin, UTC\+[12]\)  publish-issue/",
        lines[0],
    )
    assert "vorn   Was vom Bahnhof bleibt" in lines[1]
    plan_json = publication.run("issue", "plan", "--count", "2", "--json").json
    assert [issue["essays"][:1] != [] for issue in plan_json["issues"]] == [True, False]
    assert plan_json["issues"][0]["at"].startswith(plan_json["issues"][0]["issue"])
    assert plan_json["timezone"] == "Europe/Berlin"
    publication.run("issue", "plan", "--count", "0", code=2)


CHANGES = [
    ("Europe/Berlin", "2027-03-26"), ("Europe/Berlin", "2026-10-23"),
    ("Europe/London", "2027-03-26"), ("Europe/London", "2026-10-23"),
    ("America/New_York", "2027-03-12"), ("America/New_York", "2026-10-30"),
    ("Australia/Lord_Howe", "2026-10-02"),
]  # fmt: skip


@pytest.mark.prefect
@pytest.mark.parametrize(("zone", "start"), CHANGES)
@pytest.mark.parametrize(
    "cron",
    ["30 0 * * *", "30 1 * * *", "30 2 * * *", "0 3 * * *", "15 1,2,3 * * *", "*/20 * * * *"],
)
def test_in_the_night_of_the_change_too(zone: str, start: str, cron: str) -> None:
    from prefect.server.schemas.schedules import CronSchedule

    after = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone)) + timedelta(seconds=1)
    end = after + timedelta(days=4)
    expected = asyncio.run(CronSchedule(cron=cron, timezone=zone).get_dates(400, after, end))
    times = [at for at, _ in islice(Schedule("x", cron, zone, {}).times(after), 400) if at <= end]
    assert times == sorted({datetime.fromtimestamp(at.timestamp(), UTC) for at in expected})


@pytest.mark.parametrize(
    ("now", "cron", "said"),
    [
        ("2027-03-01", "30 2 28 3 *", "2027-03-28 02:30 überspringt die Uhr"),
        ("2026-10-20", "30 2 * * *", "2026-10-25 02:30 zeigt die Uhr zweimal"),
    ],
)
def test_the_plan_says_what_prefect_does_when_the_clocks_change(
    publication: Publication, clock: Clock, now: str, cron: str, said: str
) -> None:
    clock.now = datetime.fromisoformat(now).replace(tzinfo=UTC)
    file = publication.home / "prefect.yaml"
    file.write_text(file.read_text().replace('"30 7 * * 4"', f'"{cron}"'))
    notes = plan.plan_issues(publication.context(), 1).notes
    assert any(said in note and "Prefect startet diesen Lauf" in note for note in notes)
    file.write_text(file.read_text().replace(f'"{cron}"', '"30 7 * * 4"'))
    assert not any("Uhr" in note for note in plan.plan_issues(publication.context(), 1).notes)
