"""Run all probes in parallel and collect their results in the order of the report."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.diagnostics.content import LastIssue
from upcycle_news.diagnostics.probes import PROBES, CheckContext
from upcycle_news.diagnostics.results import CheckResult, Report, problem, text_of
from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import os_reason, read_file
from upcycle_news.i18n.messages import localized
from upcycle_news.models import EmailAddress
from upcycle_news.rendering.mail_size import encoded_size
from upcycle_news.services.issues.ids import latest_issue
from upcycle_news.services.issues.render import RenderedRevision, sample_message
from upcycle_news.storage import inspect, issues, revisions
from upcycle_news.subscribers.signing_keys import PERSON_KEY, token_key_files


def known_checks() -> tuple[str, ...]:
    """Return the names that `doctor` takes: groups, then single checks."""
    checks = [check for _, names in PROBES.values() for check in names]
    return tuple(dict.fromkeys([*PROBES, *checks]))


def run_checks(
    context: AppContext,
    wanted: Collection[str] = (),
    *,
    offline: bool = False,
    read_back: EmailAddress | None = None,
) -> Report:
    """Run all checks, or the groups and checks in `wanted`; a failing probe becomes a result.

    `read_back`: where a test mail is sent and read back from, beside what is wanted; None: nowhere.
    """
    if wanted and read_back is not None:
        wanted = {*wanted, "read-back"}
    check_context = _check_context(context, offline=offline, read_back=read_back)
    chosen = {
        name: probe
        for name, (probe, checks) in PROBES.items()
        if not wanted or name in wanted or any(check in wanted for check in checks)
    }
    with ThreadPoolExecutor(max_workers=len(chosen) or 1, thread_name_prefix="doctor") as threads:
        futures = {
            name: threads.submit(_run_probe, name, probe, check_context)
            for name, probe in chosen.items()
        }
    groups = [
        (name, tuple(result for result in future.result() if _is_wanted(result, name, wanted)))
        for name, future in futures.items()
    ]
    return Report(tuple((name, results) for name, results in groups if results))


def unreadable(error: UpcycleError) -> Report:
    """Return the report for settings that cannot be read, which keeps every check from running."""
    result = problem(
        "settings",
        text_of(error),
        impact=localized("doctor-settings-mean"),
        fix=localized("doctor-correct-place"),
    )
    return Report((("settings", (result,)),))


def _is_wanted(result: CheckResult, group: str, wanted: Collection[str]) -> bool:
    return not wanted or group in wanted or result.check in wanted


def _run_probe(
    name: str, probe: Callable[[CheckContext], Sequence[CheckResult]], check_context: CheckContext
) -> Sequence[CheckResult]:
    """Return the results of a probe. One that fails must not hide what the others found."""
    try:
        return probe(check_context)
    except UpcycleError as error:
        return [
            problem(
                name,
                text_of(error),
                impact=localized("doctor-group-unchecked"),
                fix=localized("doctor-correct-first"),
            )
        ]
    except PermissionError as error:
        return [
            problem(
                name,
                localized("doctor-not-readable", path=error.filename or name, why=os_reason(error)),
                impact=localized("doctor-group-unchecked"),
                fix=localized("doctor-run-as-owner"),
            )
        ]
    except Exception as error:
        return [
            problem(
                name,
                localized("doctor-check-failed", kind=type(error).__name__),
                impact=localized("doctor-own-fault"),
                fix=localized("doctor-report-it"),
            )
        ]


def _check_context(
    context: AppContext, *, offline: bool, read_back: EmailAddress | None
) -> CheckContext:
    facts = inspect.inspect_store(context.settings.store_url, thorough=False)
    # Opening would make or migrate a store, and make the subscribers' key where it is missing.
    usable = (
        facts.exists
        and not facts.trouble
        and facts.version == facts.newest
        and _is_readable(context.secrets_folder / PERSON_KEY)
    )
    last, mailed = None, False
    if usable:
        try:
            last = _last_issue(context)
            mailed = issues.was_any_queued(context.store)
        except UpcycleError:
            usable = False
    return CheckContext(context, context.clock(), facts, usable, last, mailed, offline, read_back)


def _is_readable(file: Path) -> bool:
    try:
        return bool(read_file(file))
    except OSError:
        return False


def _last_issue(context: AppContext) -> LastIssue | None:
    """Return the sizes of the newest issue from its stored rendering; nothing is rendered."""
    issue = latest_issue(context)
    revision = revisions.load_revision(context.store, issue) if issue else None
    rendered = (
        revisions.load_rendering(context.store, issue, revision.revision_id)
        if issue and revision
        else None
    )
    if issue is None or revision is None or rendered is None:
        return None
    html = encoded_size(rendered.html)
    message = 0
    if token_key_files(context.secrets_folder):  # a sample needs links, and links need a key
        message = len(sample_message(context, RenderedRevision(revision, rendered, (), html)))
    return LastIssue(str(issue), html, message)
