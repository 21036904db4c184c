"""Checks of Prefect: server, login, deployments, workers, late runs, clock, automations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from upcycle_news.diagnostics.results import (
    CheckResult,
    ok,
    problem,
    skipped,
    warning,
)
from upcycle_news.prefect_api.environment import is_loopback
from upcycle_news.prefect_api.schedules import FILE
from upcycle_news.prefect_api.status import (
    POOL,
    Deployment,
    PrefectFacts,
)

_SKEW = 30.0  # seconds: schedules and back-offs are in minutes
_BAD_SKEW = 300.0
_MANY_LATE = 3  # one or two are late whenever the machine was busy


def evaluate(
    facts: PrefectFacts,
    wanted: Sequence[Deployment],
    zone: ZoneInfo,
    *,
    alarms: Collection[str],
    operators: int,
) -> list[CheckResult]:
    """Evaluate what the schedules depend on; times are shown in `zone`.

    `wanted` are the deployments of prefect.yaml, `alarms` the events in deploy/automations.yaml,
    `operators` the number of operators who get the alarm mails.
    """
    if facts.error:
        finding, _, fix = facts.error.rpartition(": ")
        return [
            problem(
                "prefect",
                finding,
                impact="no schedule runs: no issue is made, no feed fetched, no bounce read",
                fix=fix,
            )
        ]
    return [
        _version(facts),
        _login(facts),
        *_deployments(facts, wanted, zone),
        _workers(facts),
        _late_runs(facts),
        _clock(facts),
        _automations(facts, alarms, operators),
    ]


def no_server() -> CheckResult:
    """Return the result for an installation without a Prefect server."""
    return skipped(
        "prefect",
        "no Prefect server is known: nothing happens on a schedule, only by hand",
        fix="start 'upcycle-news up', or set PREFECT_API_URL",
    )


def _version(facts: PrefectFacts) -> CheckResult:
    if facts.version.split(".")[:2] == facts.installed.split(".")[:2]:
        return ok("prefect", f"Prefect {facts.version} answers at {facts.url}")
    return warning(
        "prefect",
        f"Prefect {facts.version} answers at {facts.url}, here {facts.installed} is installed",
        impact="servers understand clients of their own or an older version",
        fix="install the same version on both sides, the server's first",
    )


def _login(facts: PrefectFacts) -> CheckResult:
    parts = urlsplit(facts.url)
    is_local = is_loopback(parts.hostname or "")
    if facts.answers_without_login and not is_local:
        return problem(
            "prefect-login",
            f"Prefect's API at {facts.url} answers without a login",
            impact="whoever reaches it can approve an issue and start any run",
            fix="set PREFECT_SERVER_API_AUTH_STRING where the server runs, PREFECT_API_AUTH_STRING here",
        )
    if not is_local and parts.scheme != "https":
        return warning(
            "prefect-login",
            f"the login for {facts.url} is sent unencrypted",
            impact="whoever can read the network traffic can approve an issue",
            fix="put TLS in front of the server",
        )
    how = "only from this machine" if is_local and facts.answers_without_login else "with a login"
    return ok("prefect-login", f"Prefect's API is reached {how}")


def _deployments(
    facts: PrefectFacts, wanted: Sequence[Deployment], zone: ZoneInfo
) -> Sequence[CheckResult]:
    deployed = {deployment.key: deployment for deployment in facts.deployments}
    missing = [deployment.name for deployment in wanted if deployment.key not in deployed]
    apply = "run 'prefect deploy --all', or restart 'upcycle-news up'"
    if missing:
        return [
            problem(
                "prefect-deployments",
                f"{len(missing)} of {len(wanted)} deployments of {FILE} are not in Prefect: "
                + ", ".join(missing[:5]),
                impact="their flows do not run",
                fix=apply,
            )
        ]
    pairs = [(deployment, deployed[deployment.key]) for deployment in wanted]
    paused = [planned.name for planned, actual in pairs if actual.paused]
    rescheduled = [
        planned.name
        for planned, actual in pairs
        if not actual.paused and planned.schedules != actual.schedules
    ]
    results = []
    if paused:
        results.append(
            problem(
                "prefect-deployments",
                f"paused in Prefect: {', '.join(paused)}",
                impact="their schedules do not run, though they stand in " + FILE,
                fix="switch them on in Prefect's pages, or with 'prefect deployment schedule resume'",
            )
        )
    if rescheduled:
        results.append(
            warning(
                "prefect-deployments",
                f"other schedules than in {FILE}: {', '.join(rescheduled)}",
                impact="they run at other times than the file says, or not at all",
                fix=apply,
            )
        )
    if results:
        return results
    next_issue = ""
    if facts.next_issue is not None:
        next_issue = (
            f"; the next issue is made on {facts.next_issue.astimezone(zone):%A, %d %B, %H:%M}"
        )
    return [ok("prefect-deployments", f"{len(wanted)} deployments are as in {FILE}{next_issue}")]


def _workers(facts: PrefectFacts) -> CheckResult:
    pooled = [deployment for deployment in facts.deployments if deployment.pool]
    if pooled and not facts.workers:
        finding = f"no worker of the pool '{POOL}' is online"
        fix = f"run 'prefect worker start --pool {POOL}'"
        if facts.workers is None:
            finding = f"there is no pool '{POOL}'"
            fix += f" after 'prefect work-pool create {POOL} --type process'"
        return problem(
            "prefect-workers", finding, impact="runs are scheduled and never start", fix=fix
        )
    not_ready = [deployment.name for deployment in facts.deployments if not deployment.ready]
    if not_ready:
        return problem(
            "prefect-workers",
            f"no runner has polled for runs of {', '.join(sorted(not_ready)[:5])} for a minute",
            impact="runs are scheduled and never start",
            fix="start 'upcycle-news up' or upcycle_news_flows.serve again, or a worker of the pool",
        )
    if not facts.deployments:
        return skipped("prefect-workers", "nothing is deployed, so no worker is needed")
    count = "one worker" if facts.workers == 1 else f"{facts.workers} workers"
    executor = f"{count} of the pool '{POOL}'" if pooled else "a runner (upcycle_news_flows.serve)"
    return ok("prefect-workers", f"runs are executed by {executor}")


def _late_runs(facts: PrefectFacts) -> CheckResult:
    if facts.late_runs >= _MANY_LATE:
        return warning(
            "prefect-late",
            f"{facts.late_runs} runs are late",
            impact="no worker takes them, or too many run at the same time",
            fix="look at the runs in Prefect's pages; more workers, or a larger --limit",
        )
    return ok(
        "prefect-late",
        "no run is late" if not facts.late_runs else f"{facts.late_runs} runs are late",
    )


def _clock(facts: PrefectFacts) -> CheckResult:
    seconds = abs(facts.skew)
    if seconds <= _SKEW:
        return ok("clock", "the clocks of the server and of this machine agree")
    make = problem if seconds > _BAD_SKEW else warning
    ahead = "ahead of" if facts.skew > 0 else "behind"
    return make(
        "clock",
        f"the server's clock is {seconds:.0f} s {ahead} this machine's",
        impact="runs start too early or too late, links and approval requests expire at other times",
        fix="let both keep time with NTP (timedatectl set-ntp true)",
    )


def _automations(facts: PrefectFacts, wanted: Collection[str], operators: int) -> CheckResult:
    missing = sorted(set(wanted) - facts.alert_events)
    apply = "run 'upcycle-news alarms apply deploy/automations.yaml'"
    if not facts.alert_events:
        return warning(
            "alarms",
            "Prefect has no automation of ours that is switched on",
            impact="no operator is told when an issue is late or refused",
            fix=apply,
        )
    if missing:
        return warning(
            "alarms",
            f"Prefect's automations do not know {', '.join(missing)}",
            impact="they are older than deploy/automations.yaml: no operator is told of these",
            fix=apply,
        )
    if not operators:
        return warning(
            "alarms",
            "alarms are raised, but no operator receives them",
            impact="the group cockpit.operators is not named, or has no members",
            fix="set cockpit.operators, and 'upcycle-news subscribers add … --group' for its members",
        )
    return ok("alarms", "alarms are mailed to the operators")
