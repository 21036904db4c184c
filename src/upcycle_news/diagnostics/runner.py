"""Make all rounds at the same time, and put their lines in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

from upcycle_news.app.context import AppContext
from upcycle_news.diagnostics.content import LastIssue
from upcycle_news.diagnostics.probes import ROUNDS, Visit
from upcycle_news.diagnostics.results import Line, Report, problem
from upcycle_news.errors import UpcycleError
from upcycle_news.rendering.render import encoded_size
from upcycle_news.services.issues.ids import latest_issue
from upcycle_news.services.issues.render import Rendered, sample_message
from upcycle_news.storage import inspect, issues, revisions


def known_checks() -> tuple[str, ...]:
    """What may be asked for: groups, and single checks."""
    checks = [check for _, found in ROUNDS.values() for check in found]
    return tuple(dict.fromkeys([*ROUNDS, *checks]))


def examine(context: AppContext, wanted: Collection[str] = (), *, offline: bool = False) -> Report:
    """Look at everything, or at the groups and checks `wanted`; never raises for what it finds."""
    visit = _visit(context, offline=offline)
    chosen = {
        name: round_
        for name, (round_, checks) in ROUNDS.items()
        if not wanted or name in wanted or any(check in wanted for check in checks)
    }
    with ThreadPoolExecutor(max_workers=len(chosen) or 1, thread_name_prefix="doctor") as threads:
        begun = {
            name: threads.submit(_made, name, round_, visit) for name, round_ in chosen.items()
        }
    groups = [
        (name, tuple(line for line in found.result() if _asked_for(line, name, wanted)))
        for name, found in begun.items()
    ]
    return Report(tuple((name, lines) for name, lines in groups if lines))


def unreadable(error: UpcycleError) -> Report:
    """The report when the configuration keeps us from looking at anything."""
    line = problem(
        "settings",
        str(error),
        meaning="no command works, and nothing else can be looked at",
        cure="mend that place",
    )
    return Report((("settings", (line,)),))


def _asked_for(line: Line, group: str, wanted: Collection[str]) -> bool:
    return not wanted or group in wanted or line.check in wanted


def _made(name: str, round_: Callable[[Visit], Sequence[Line]], visit: Visit) -> Sequence[Line]:
    """The lines of a round. One that fails itself must not hide what the others found."""
    try:
        return round_(visit)
    except UpcycleError as error:
        return [
            problem(
                name,
                str(error),
                meaning="this could not be looked at any further",
                cure="mend that first, then ask again",
            )
        ]
    except Exception as error:
        return [
            problem(
                name,
                f"the check itself failed ({type(error).__name__})",
                meaning="that is a fault of the doctor, not of the installation",
                cure="please report it, with the version of upcycle-news",
            )
        ]


def _visit(context: AppContext, *, offline: bool) -> Visit:
    facts = inspect.look(context.settings.store_url, thorough=False)
    # Opening would make or migrate a store, and make the key of its people where it is missing.
    usable = (
        facts.exists
        and not facts.trouble
        and facts.version == facts.newest
        and (context.secrets / "person.key").is_file()
    )
    last, mailed = None, False
    if usable:
        try:
            last = _last_issue(context)
            mailed = any(row.enqueued_at for row in issues.every(context.store))
        except UpcycleError:
            usable = False
    return Visit(context, context.clock(), facts, usable, last, mailed, offline)


def _last_issue(context: AppContext) -> LastIssue | None:
    """The sizes of the newest issue, from the rendering that was kept; nothing is rendered."""
    issue = latest_issue(context)
    revision = revisions.revision(context.store, issue) if issue else None
    rendered = (
        revisions.rendering(context.store, issue, revision.revision_id)
        if issue and revision
        else None
    )
    if issue is None or revision is None or rendered is None:
        return None
    html = encoded_size(rendered.html)
    message = 0
    if any(context.secrets.glob("token-*.key")):  # a sample needs links, and links need a key
        message = len(
            sample_message(context, Rendered(issue, revision.revision_id, rendered, (), html))
        )
    return LastIssue(str(issue), html, message)
