"""What Prefect's API told, judged: server, runners, deployments, late runs, and its clock."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from upcycle_news.diagnostics.results import (
    Line,
    ok,
    problem,
    skipped,
    warning,
)
from upcycle_news.prefect_api.environment import is_loopback
from upcycle_news.prefect_api.status import (
    FILE,
    POOL,
    Deployment,
    PrefectFacts,
)

_SKEW = 30.0  # seconds: schedules and back-offs are in minutes
_BAD_SKEW = 300.0
_MANY_LATE = 3  # one or two are late whenever the machine was busy


def verdict(
    facts: PrefectFacts,
    wanted: Sequence[Deployment],
    zone: ZoneInfo,
    *,
    alarms: Collection[str],
    operators: int,
) -> list[Line]:
    """What the schedules hang on; times are shown in `zone`.

    `alarms` are the events that deploy/automations.yaml tells the operators, `operators` how many
    people that are.
    """
    if facts.trouble:
        found, _, cure = facts.trouble.rpartition(": ")
        return [
            problem(
                "prefect",
                found,
                meaning="no schedule runs: no issue is made, no feed asked, no bounce read",
                cure=cure,
            )
        ]
    return [
        _version(facts),
        _login(facts),
        *_deployments(facts, wanted, zone),
        _runners(facts),
        _lateness(facts),
        _clock(facts),
        _told(facts, alarms, operators),
    ]


def none_known() -> Line:
    """There is no server to ask."""
    return skipped(
        "prefect",
        "no Prefect server is known: nothing happens on a schedule, only by hand",
        cure="start 'upcycle-news up', or set PREFECT_API_URL",
    )


def _version(facts: PrefectFacts) -> Line:
    if facts.version.split(".")[:2] == facts.ours.split(".")[:2]:
        return ok("prefect", f"Prefect {facts.version} answers at {facts.url}")
    return warning(
        "prefect",
        f"Prefect {facts.version} answers at {facts.url}, here {facts.ours} is installed",
        meaning="servers understand clients of their own or an older version",
        cure="install the same version on both sides, the server's first",
    )


def _login(facts: PrefectFacts) -> Line:
    parts = urlsplit(facts.url)
    here = is_loopback(parts.hostname or "")
    if facts.open and not here:
        return problem(
            "prefect-login",
            f"Prefect's API at {facts.url} answers without a login",
            meaning="whoever reaches it can approve an issue and start any run",
            cure="set PREFECT_SERVER_API_AUTH_STRING where the server runs, PREFECT_API_AUTH_STRING here",
        )
    if not here and parts.scheme != "https":
        return warning(
            "prefect-login",
            f"the login for {facts.url} travels in the clear",
            meaning="whoever sees the network can approve an issue",
            cure="put TLS in front of the server",
        )
    how = "only from this machine" if here and facts.open else "with a login"
    return ok("prefect-login", f"Prefect's API is reached {how}")


def _deployments(
    facts: PrefectFacts, wanted: Sequence[Deployment], zone: ZoneInfo
) -> Sequence[Line]:
    there = {one.key: one for one in facts.deployments}
    missing = [one.name for one in wanted if one.key not in there]
    apply = "run 'prefect deploy --all', or restart 'upcycle-news up'"
    if missing:
        return [
            problem(
                "prefect-deployments",
                f"{len(missing)} of {len(wanted)} deployments of {FILE} are not in Prefect: "
                + ", ".join(missing[:5]),
                meaning="what they do does not happen",
                cure=apply,
            )
        ]
    pairs = [(one, there[one.key]) for one in wanted]
    paused = [one.name for one, found in pairs if found.paused]
    other = [
        one.name for one, found in pairs if not found.paused and one.schedules != found.schedules
    ]
    lines = []
    if paused:
        lines.append(
            problem(
                "prefect-deployments",
                f"paused in Prefect: {', '.join(paused)}",
                meaning="their schedules do not run, though they stand in " + FILE,
                cure="switch them on in Prefect's pages, or with 'prefect deployment schedule resume'",
            )
        )
    if other:
        lines.append(
            warning(
                "prefect-deployments",
                f"other schedules than in {FILE}: {', '.join(other)}",
                meaning="they run at other times than the file says, or not at all",
                cure=apply,
            )
        )
    if lines:
        return lines
    coming = ""
    if facts.next_issue is not None:
        coming = f"; the next issue is made on {facts.next_issue.astimezone(zone):%A, %d %B, %H:%M}"
    return [ok("prefect-deployments", f"{len(wanted)} deployments are as in {FILE}{coming}")]


def _runners(facts: PrefectFacts) -> Line:
    pooled = [one for one in facts.deployments if one.pool]
    if pooled and not facts.workers:
        what = f"no worker of the pool '{POOL}' is online"
        what = f"there is no pool '{POOL}'" if facts.workers is None else what
        return problem(
            "prefect-workers",
            what,
            meaning="runs are planned and never begin",
            cure=f"run 'prefect worker start --pool {POOL}'"
            + (
                f" after 'prefect work-pool create {POOL} --type process'"
                if facts.workers is None
                else ""
            ),
        )
    asleep = [one.name for one in facts.deployments if not one.ready]
    if asleep:
        return problem(
            "prefect-workers",
            f"nobody has asked for runs of {', '.join(sorted(asleep)[:5])} for a minute",
            meaning="runs are planned and never begin",
            cure="start 'upcycle-news up' or flows/serve.py again, or a worker of the pool",
        )
    if not facts.deployments:
        return skipped("prefect-workers", "nothing is deployed that somebody could execute")
    count = "one worker" if facts.workers == 1 else f"{facts.workers} workers"
    who = f"{count} of the pool '{POOL}'" if pooled else "a runner (flows/serve.py)"
    return ok("prefect-workers", f"runs are executed by {who}")


def _lateness(facts: PrefectFacts) -> Line:
    if facts.late >= _MANY_LATE:
        return warning(
            "prefect-late",
            f"{facts.late} runs are late",
            meaning="nobody takes them, or too many run at the same time",
            cure="look at the runs in Prefect's pages; more workers, or a larger --limit",
        )
    return ok("prefect-late", "no run is late" if not facts.late else f"{facts.late} runs are late")


def _clock(facts: PrefectFacts) -> Line:
    off = abs(facts.skew)
    if off <= _SKEW:
        return ok("clock", "the clocks of the server and of this machine agree")
    make = problem if off > _BAD_SKEW else warning
    ahead = "ahead of" if facts.skew > 0 else "behind"
    return make(
        "clock",
        f"the server's clock is {off:.0f} s {ahead} this machine's",
        meaning="runs begin too early or too late, links and questions end at other times",
        cure="let both keep time with NTP (timedatectl set-ntp true)",
    )


def _told(facts: PrefectFacts, wanted: Collection[str], operators: int) -> Line:
    missing = sorted(set(wanted) - facts.alarms)
    apply = "run 'upcycle-news alarms apply deploy/automations.yaml'"
    if not facts.alarms:
        return warning(
            "alarms",
            "Prefect has no automation of ours that is switched on",
            meaning="nobody is told when an issue is late or refused",
            cure=apply,
        )
    if missing:
        return warning(
            "alarms",
            f"Prefect's automations do not know {', '.join(missing)}",
            meaning="they are older than deploy/automations.yaml: nobody is told of these",
            cure=apply,
        )
    if not operators:
        return warning(
            "alarms",
            "alarms are raised, and nobody gets them",
            meaning="the group cockpit.operators is not named, or has no members",
            cure="set cockpit.operators, and 'upcycle-news subscribers add … --group' for its members",
        )
    return ok("alarms", "alarms are mailed to the operators")
