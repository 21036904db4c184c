"""Runs that wait for an approval and should not any more: each is settled once, whatever the others do."""

from __future__ import annotations

from dataclasses import dataclass

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import localized
from upcycle_news.observability.logging import Log
from upcycle_news.prefect_api.client import PrefectApiError, PrefectClient
from upcycle_news.services.issues.waiting_runs import release_ended_runs
from upcycle_news.services.monitoring.alerts import find_stale_runs, mark_resolved

log = Log(__name__)


@dataclass(frozen=True)
class ResolvedRuns:
    """How many runs were settled; `problems` are sentences about those that are tried again."""

    count: int = 0
    problems: tuple[str, ...] = ()


def resolve_stale_runs(context: AppContext, client: PrefectClient) -> ResolvedRuns:
    """Settle the runs whose request was decided elsewhere or expired, and those that have ended.

    What Prefect does not take for one run is a sentence and does not keep others from being settled. A run
    that Prefect does not know any more is settled.
    """
    count, problems = 0, []
    for stale in find_stale_runs(context):
        try:
            if not client.has_ended(stale.run):
                client.resolve_stale_run(stale)
        except PrefectApiError as error:
            log.warning("waiting run not settled", run=stale.run, why=error)
            text = localized(
                "stale-run-waits", run=client.run_page(stale.run), why=error.localized_text
            )
            problems.append(text.in_language(context.language))
            continue
        mark_resolved(context, stale)
        count += 1
    released = release_ended_runs(context, client)
    if released.problem and not problems:
        problems.append(released.problem)
    return ResolvedRuns(count + len(released.runs), tuple(problems))
