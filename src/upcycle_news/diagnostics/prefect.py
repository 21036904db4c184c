"""Checks of Prefect: server, login, deployments, workers, late runs, clock, automations."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from upcycle_news.diagnostics.results import CheckResult, ok, problem, skipped, split_cure, warning
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.prefect_api.environment import is_loopback
from upcycle_news.prefect_api.flow_process import PACKAGE
from upcycle_news.prefect_api.schedules import FILE, function_of
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
        finding, fix = split_cure(facts.error, localized("doctor-colon"))
        return [
            problem(
                "prefect",
                finding,
                impact=localized("doctor-prefect-silent-means"),
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
        localized("doctor-prefect-none"),
        fix=localized("doctor-prefect-none-cure"),
    )


def _version(facts: PrefectFacts) -> CheckResult:
    if facts.version.split(".")[:2] == facts.installed.split(".")[:2]:
        return ok("prefect", localized("doctor-prefect-ok", version=facts.version, url=facts.url))
    return warning(
        "prefect",
        localized(
            "doctor-prefect-version",
            version=facts.version,
            url=facts.url,
            installed=facts.installed,
        ),
        impact=localized("doctor-prefect-version-means"),
        fix=localized("doctor-prefect-version-cure"),
    )


def _login(facts: PrefectFacts) -> CheckResult:
    parts = urlsplit(facts.url)
    is_local = is_loopback(parts.hostname or "")
    if facts.answers_without_login and not is_local:
        return problem(
            "prefect-login",
            localized("doctor-login-missing", url=facts.url),
            impact=localized("doctor-login-missing-means"),
            fix=localized("doctor-login-missing-cure"),
        )
    if not is_local and parts.scheme != "https":
        return warning(
            "prefect-login",
            localized("doctor-login-plain", url=facts.url),
            impact=localized("doctor-login-plain-means"),
            fix=localized("doctor-login-plain-cure"),
        )
    how = (
        localized("doctor-login-local")
        if is_local and facts.answers_without_login
        else localized("doctor-login-asked")
    )
    return ok("prefect-login", localized("doctor-login-ok", how=how))


def _deployments(
    facts: PrefectFacts, wanted: Sequence[Deployment], zone: ZoneInfo
) -> Sequence[CheckResult]:
    deployed = {deployment.key: deployment for deployment in facts.deployments}
    missing = [deployment.name for deployment in wanted if deployment.key not in deployed]
    apply = localized("doctor-deploy")
    if missing:
        return [
            problem(
                "prefect-deployments",
                localized(
                    "doctor-deployments-missing",
                    missing=len(missing),
                    wanted=len(wanted),
                    file=FILE,
                    names=", ".join(missing[:5]),
                ),
                impact=localized("doctor-deployments-missing-mean"),
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
                localized("doctor-paused", names=", ".join(paused)),
                impact=localized("doctor-paused-means", file=FILE),
                fix=localized("doctor-paused-cure"),
            )
        )
    if rescheduled:
        results.append(
            warning(
                "prefect-deployments",
                localized("doctor-rescheduled", file=FILE, names=", ".join(rescheduled)),
                impact=localized("doctor-rescheduled-means"),
                fix=apply,
            )
        )
    if left := _left_over(facts, wanted):
        results.append(
            warning(
                "prefect-deployments",
                localized("doctor-left-over", file=FILE, names=", ".join(left)),
                impact=localized("doctor-left-over-means"),
                fix=localized("doctor-left-over-cure", name=left[0]),
            )
        )
    if results:
        return results
    next_issue: LocalizedText | str = ""
    if facts.next_issue is not None:
        next_issue = localized("doctor-next-issue", at=facts.next_issue.astimezone(zone))
    return [
        ok(
            "prefect-deployments",
            localized("doctor-deployments-ok", count=len(wanted), file=FILE, next_issue=next_issue),
        )
    ]


def _left_over(facts: PrefectFacts, wanted: Sequence[Deployment]) -> list[str]:
    """Return the deployments of the program's flows that prefect.yaml has no more, as Prefect's commands name them."""
    keys = {deployment.key for deployment in wanted}
    return sorted(
        f"{function_of(deployment.entrypoint).replace('_', '-')}/{deployment.name}"
        for deployment in facts.deployments
        if deployment.entrypoint.startswith(f"{PACKAGE}.") and deployment.key not in keys
    )


def _workers(facts: PrefectFacts) -> CheckResult:
    pooled = [deployment for deployment in facts.deployments if deployment.pool]
    if pooled and not facts.workers:
        finding = localized("doctor-no-worker", pool=POOL)
        fix = localized("doctor-start-worker", pool=POOL)
        if facts.workers is None:
            finding = localized("doctor-no-pool", pool=POOL)
            fix = localized("doctor-create-pool", pool=POOL)
        return problem("prefect-workers", finding, impact=localized("doctor-never-start"), fix=fix)
    not_ready = [deployment.name for deployment in facts.deployments if not deployment.ready]
    if not_ready:
        return problem(
            "prefect-workers",
            localized("doctor-no-poll", names=", ".join(sorted(not_ready)[:5])),
            impact=localized("doctor-never-start"),
            fix=localized("doctor-no-poll-cure"),
        )
    if not facts.deployments:
        return skipped("prefect-workers", localized("doctor-nothing-deployed"))
    count = (
        localized("doctor-one-worker")
        if facts.workers == 1
        else localized("doctor-workers", number=facts.workers)
    )
    executor = (
        localized("doctor-workers-of", workers=count, pool=POOL)
        if pooled
        else localized("doctor-runner")
    )
    return ok("prefect-workers", localized("doctor-executor", executor=executor))


def _late_runs(facts: PrefectFacts) -> CheckResult:
    if facts.late_runs >= _MANY_LATE:
        return warning(
            "prefect-late",
            localized("doctor-late-runs", number=facts.late_runs),
            impact=localized("doctor-late-means"),
            fix=localized("doctor-late-cure"),
        )
    return ok(
        "prefect-late",
        localized("doctor-no-late-run")
        if not facts.late_runs
        else localized("doctor-late-runs", number=facts.late_runs),
    )


def _clock(facts: PrefectFacts) -> CheckResult:
    seconds = abs(facts.skew)
    if seconds <= _SKEW:
        return ok("clock", localized("doctor-clock-ok"))
    make = problem if seconds > _BAD_SKEW else warning
    ahead = localized("doctor-ahead") if facts.skew > 0 else localized("doctor-behind")
    return make(
        "clock",
        localized("doctor-clock", seconds=seconds, ahead=ahead),
        impact=localized("doctor-clock-means"),
        fix=localized("doctor-clock-cure"),
    )


def _automations(facts: PrefectFacts, wanted: Collection[str], operators: int) -> CheckResult:
    missing = sorted(set(wanted) - facts.alert_events)
    apply = localized("doctor-alarms-apply")
    if not facts.alert_events:
        return warning(
            "alarms",
            localized("doctor-alarms-none"),
            impact=localized("doctor-alarms-none-mean"),
            fix=apply,
        )
    if missing:
        return warning(
            "alarms",
            localized("doctor-alarms-old", missing=", ".join(missing)),
            impact=localized("doctor-alarms-old-mean"),
            fix=apply,
        )
    if not operators:
        return warning(
            "alarms",
            localized("doctor-alarms-nobody"),
            impact=localized("doctor-alarms-nobody-means"),
            fix=localized("doctor-alarms-nobody-cure"),
        )
    return ok("alarms", localized("doctor-alarms-ok"))
