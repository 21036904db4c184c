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
from upcycle_news.services import pipeline
from upcycle_news.services.issues import plan
from upcycle_news.services.issues.compose import EssayFilter

from ...delivery.memory_ledger import Clock
from ...publications import Publication, prepared, sent

BERLIN = ZoneInfo("Europe/Berlin")


def weekly(cron: str = "30 7 * * 4", **parameters: object) -> Schedule:
    return Schedule("publish-issue/thursday", cron, "Europe/Berlin", parameters)


def listed(publication: Publication) -> dict[str, str]:
    """Each essay's slug with where it stands."""
    standings, _ = plan.where_essays_stand(publication.context())
    return {one.essay.slug: f"{one.status} {one.issue or ''}".strip() for one in standings}


@pytest.mark.parametrize(
    ("start", "hours"),
    [("2027-03-20", ["06:30", "05:30", "05:30"]), ("2026-10-20", ["05:30", "06:30", "06:30"])],
)
def test_half_past_seven_stays_half_past_seven_across_the_clock_change(
    start: str, hours: list[str]
) -> None:
    after = datetime.fromisoformat(start).replace(tzinfo=BERLIN)
    times = [at for at, _ in islice(next_times([weekly()], after), 3)]
    assert [f"{at:%H:%M}" for at in times] == hours  # in UTC
    assert {f"{at.astimezone(BERLIN):%a %H:%M}" for at in times} == {"Thu 07:30"}


@pytest.mark.prefect
@pytest.mark.parametrize("cron", ["30 7 * * 4", "10 7-9 * * *", "0 9 1-7 * 1", "0 18 * * mon-fri"])
@pytest.mark.parametrize("start", ["2027-03-26", "2026-10-23"])
def test_the_times_are_those_at_which_prefect_starts_runs(cron: str, start: str) -> None:
    from prefect.server.schemas.schedules import CronSchedule

    after = datetime.fromisoformat(start).replace(tzinfo=BERLIN) + timedelta(seconds=1)
    wanted = asyncio.run(CronSchedule(cron=cron, timezone="Europe/Berlin").get_dates(60, after))
    found = [at for at, _ in islice(next_times([weekly(cron)], after), 60)]
    assert found == [datetime.fromtimestamp(one.timestamp(), UTC) for one in wanted]


def test_essays_are_planned_by_their_dates_and_nobody_is_in_two_issues(
    publication: Publication, clock: Clock
) -> None:
    publication.setting("[retry]", "[issue]\nessays = 1\n\n[retry]")
    publication.crowd(1)
    publication.essay("Alt", date="2026-11-20")
    publication.essay("Neu", date="2026-11-25")
    publication.essay("Morgen", date="2026-12-03")
    publication.essay("Entwurf").join(["", ""])
    path = publication.home / "content/essays/2024-05-02-entwurf.md"
    path.write_text(path.read_text().replace("status: ready", "status: draft"))
    found = plan.plan_issues(publication.context(), 4)
    told = [(str(one.issue), [essay.slug for essay in one.essays]) for one in found.issues]
    assert told == [
        ("2026-11-26", ["neu"]),
        ("2026-12-03", ["morgen"]),
        ("2026-12-10", ["alt"]),
        ("2026-12-17", []),
    ]
    assert found.issues[0].problems == ()
    assert found.issues[0].items == ()
    assert [one.items for one in found.issues[1:]] == [None] * 3
    assert "nothing new" in found.issues[3].problems[0]
    assert any(note.startswith("1 draft is") for note in found.notes)
    assert listed(publication) == {
        "morgen": "planned 2026-12-03",
        "neu": "planned 2026-11-26",
        "alt": "planned 2026-12-10",
        "entwurf": "draft",
    }


def test_what_the_plan_foretells_is_what_the_run_composes(
    publication: Publication, clock: Clock
) -> None:
    publication.essay("Erst", date="2026-11-20")
    publication.essay("Dann", date="2026-11-26")
    context = publication.context()
    planned, *_ = plan.plan_issues(context, 1).issues
    assert planned.at == datetime(2026, 11, 26, 6, 30, tzinfo=UTC)
    clock.now = planned.at
    begun = pipeline.begin(
        publication.context(), "next", planned_at=planned.at, run="one", max_lateness_hours=12
    )
    assert begun.issue == str(planned.issue)
    composed = pipeline.compose(context, begun.issue, EssayFilter(), run="one")
    from upcycle_news.storage import revisions

    found = revisions.revision(context.store, planned.issue, composed.revision)
    assert found is not None
    assert found.manifest.issue.essays == planned.essays
    assert found.manifest.issue.related == planned.items


def test_after_an_issue_of_today_the_next_one_has_its_own_number(
    publication: Publication, clock: Clock
) -> None:
    publication.essay("Von Hand")
    publication.crowd(1)
    sent(publication.context())
    publication.essay("Nach Plan")
    [first] = plan.plan_issues(publication.context(), 1).issues
    assert str(first.issue) == "2026-11-26-2"  # it is seven; the schedule says half past
    assert listed(publication) == {
        "von-hand": "published 2026-11-26",
        "nach-plan": "planned 2026-11-26-2",
    }


def test_an_issue_that_waits_for_its_approval_keeps_its_essays(
    publication: Publication, clock: Clock
) -> None:
    publication.essay()
    publication.crowd(1)
    context = publication.context()
    revision = pipeline.compose(context, "2026-11-26", EssayFilter(), run="one").revision
    pipeline.render(context, "2026-11-26", revision)
    pipeline.ask(context, "2026-11-26", revision, run="one", waits=True)
    clock.now += timedelta(hours=2)
    waits, coming = plan.plan_issues(publication.context(), 1).issues
    assert (str(waits.issue), waits.at) == ("2026-11-26", None)
    assert waits.state == "waits for its approval until Saturday, 28 November, 07:00"
    assert (str(coming.issue), coming.essays) == ("2026-12-03", ())
    prepared(publication.context())
    assert plan.plan_issues(publication.context(), 1).issues[0].state == "approved"


def test_whatever_would_keep_the_next_issue_back_is_named(publication: Publication) -> None:
    publication.essay("Fertig", date="2026-11-20")
    publication.setting('address = "post@umbaupost.example.net"', "")
    [first] = plan.plan_issues(publication.context(), 1).issues
    told = " | ".join(first.problems)
    assert "sender-missing" in told
    assert "nobody to send to" in told
    publication.essay("Kaputt", date="gestern")
    [first] = plan.plan_issues(publication.context(), 1).issues
    assert "content/essays/gestern-kaputt.md:4: „date“ ist kein Datum" in first.problems[0]


def test_a_schedule_s_own_choice_of_topics_counts(publication: Publication) -> None:
    wanted = publication.essay("Bestand", topics="[bestand]")
    publication.essay("Verkehr", topics="[verkehr]")
    path = publication.home / "prefect.yaml"
    path.write_text(
        path.read_text().replace("approve: false", "approve: true\n      topics: [bestand]", 1)
    )
    [first] = plan.plan_issues(publication.context(), 1).issues
    assert [essay.slug for essay in first.essays] == [wanted]
    assert first.schedule is not None
    assert not first.schedule.asks


def test_without_a_schedule_the_plan_says_so_and_shows_todays_issue(
    publication: Publication,
) -> None:
    publication.essay()
    (publication.home / "prefect.yaml").unlink()
    found = plan.plan_issues(publication.context(), 3)
    [by_hand] = found.issues
    assert (by_hand.issue, by_hand.at) == (IssueId.parse("2026-11-26"), None)
    assert len(by_hand.essays) == 1
    assert "no schedule" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("deployments: [", "prefect.yaml:1: is not YAML here"),
        ("name: x\n", "prefect.yaml: has no list of deployments"),
        ("CRON", "prefect.yaml:25: publish-issue/thursday: 'every thursday' is not a cron"),
        ("ZONE", "is not a time zone"),
        ("INTERVAL", "only schedules with 'cron'"),
    ],
)
def test_a_schedule_that_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    own = (Path(__file__).parents[3] / "prefect.yaml").read_text()
    made = {
        "CRON": own.replace('"30 7 * * 4"', '"every thursday"'),
        "ZONE": own.replace("timezone: Europe/Berlin", "timezone: Europe/Bärlin", 1),
        "INTERVAL": own.replace('cron: "30 7 * * 4"', "interval: 3600"),
    }.get(text, text)
    (tmp_path / "prefect.yaml").write_text(made)
    with pytest.raises(SettingsError, match=re.escape(complaint)):
        read_schedules(tmp_path)


def test_the_plan_is_told_for_people_and_for_programs(publication: Publication) -> None:
    publication.essay()
    publication.crowd(1)
    told = publication.run("issue", "plan", "--count", "2").out.splitlines()
    assert re.match(
        r"issue \d{4}-\d\d-\d\d  Thursday, .*, 07:30 \(Europe/Berlin, UTC\+[12]\)  publish-issue/",
        told[0],
    )
    assert "leads  Was vom Bahnhof bleibt" in told[1]
    found = publication.run("issue", "plan", "--count", "2", "--json").json
    assert [one["essays"][:1] != [] for one in found["issues"]] == [True, False]
    assert found["issues"][0]["at"].startswith(found["issues"][0]["issue"])
    assert found["timezone"] == "Europe/Berlin"
    publication.run("issue", "plan", "--count", "0", code=2)
