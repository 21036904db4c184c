"""The demo: the real flow on sample content, in a state folder of its own.

It never touches real subscribers or real state: a configured relay is refused, feeds come from
loopback, and the store, the mailbox and Prefect's home are below var/demo.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from upcycle_news.app.context import AppContext, utc_now
from upcycle_news.config.settings import (
    FILE_NAME,
    PREFIX,
    Settings,
    load_settings,
)
from upcycle_news.demo.feed_server import DemoSite
from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import format_count
from upcycle_news.models import IssueId, IssueStatus
from upcycle_news.prefect_api.environment import temporary_server_environment
from upcycle_news.scaffold.layout import bundled_publication
from upcycle_news.services.content.files import load_publication_essays
from upcycle_news.services.issues.ids import latest_issue
from upcycle_news.storage import issues, revisions
from upcycle_news.storage.subscribers import add_subscribers
from upcycle_news.subscribers.csv_lists import read_subscribers_csv

_FLOW_TIMEOUT = 300  # seconds that the flow may take on a slow machine
_PLACEHOLDERS = {
    "SENDER__ADDRESS": "newsletter@example.org",
    "PUBLICATION__PUBLIC_URL": "https://newsletter.example.org",
    "IMPRINT__LINES": '["Musterverein e. V., Musterstraße 1, 12345 Musterstadt"]',
}


def run_demo(cwd: Path, *, show: Callable[[str], None]) -> Iterator[str]:
    """Run the main job on the publication in `here`, or on the samples; yields lines to print.

    Raises `UpcycleError` when a relay is configured or the flow fails.
    """
    state = (cwd / "var" / "demo").resolve()
    home = _choose_publication(cwd)
    show("The demo runs the real flow, with Prefect's own server: that takes some 15 seconds …")
    with DemoSite(utc_now()) as site:
        write_atomically(state / "feeds.toml", site.feeds_toml().encode())
        environment = _environment(home, state)
        with _open_context(environment) as context:
            _add_sample_subscribers(context)
            before = _statuses(context)
        outcome = _run_flow(home, state, environment)
    with _open_context(environment) as context:
        yield from _summary(context, outcome, before, cwd, state)


def _choose_publication(cwd: Path) -> Path:
    """Return the publication in `here` if it has an essay that is ready, else the bundled one."""
    if (cwd / FILE_NAME).is_file():
        context = AppContext(_load_settings_without_relay(cwd))
        if any(essay.status == "ready" for essay in load_publication_essays(context)):
            return cwd.resolve()
    _load_settings_without_relay(bundled_publication())
    return bundled_publication()


def _load_settings_without_relay(home: Path) -> Settings:
    settings = load_settings(home)
    if settings.relays:
        raise UpcycleError(
            "the demo refuses to run where a relay is configured, so that it can reach nobody: "
            f"unset UPCYCLE_NEWS_RELAYS__… and leave [relays] out of {home / FILE_NAME}"
        )
    return settings


def _environment(home: Path, state: Path) -> dict[str, str]:
    """Return the environment with all settings of the demo; no file is changed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    own = {
        f"{PREFIX}HOME": str(home),
        f"{PREFIX}STATE": str(state),
        f"{PREFIX}STORE": f"sqlite:///{state / 'upcycle.db'}",
        f"{PREFIX}FEEDS__FILE": str(state / "feeds.toml"),
        f"{PREFIX}FEEDS__ALLOW_PRIVATE": "true",
        f"{PREFIX}FEEDS__REFRESH_MINUTES": "0",
        f"{PREFIX}FEEDS__GIT_PULL": "false",
        f"{PREFIX}ARCHIVE__INDEX_HTML": "true",  # a browser reads it from the disk
    }
    settings = load_settings(home)
    for name, value in _PLACEHOLDERS.items():
        if not _setting(settings, name):
            own[PREFIX + name] = value
    return temporary_server_environment({**inherited, **own}, state / "prefect")


def _setting(settings: Settings, name: str) -> Any:
    table, key = name.lower().split("__")
    return getattr(getattr(settings, table), key)


def _open_context(environment: Mapping[str, str]) -> AppContext:
    """Open the context with the environment that the flow gets."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        del os.environ[name]
    os.environ.update({k: v for k, v in environment.items() if k.startswith(PREFIX)})
    return AppContext.open()


def _add_sample_subscribers(context: AppContext) -> None:
    data = (files("upcycle_news.demo") / "subscribers.csv").read_bytes()
    parsed = read_subscribers_csv(data, where="subscribers.csv")
    add_subscribers(
        context.store, parsed.subscribers, source="sample subscribers of the demo", now=context.clock(),
        dry_run=False,
    )  # fmt: skip


def _statuses(context: AppContext) -> dict[IssueId, IssueStatus | None]:
    return {
        row.id: issues.status(context.store, row.id) for row in issues.all_issues(context.store)
    }


def _run_flow(home: Path, state: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """Run flows/publish_issue.py in a process; its last line of output is the outcome."""
    log = state / "flow.log"
    command = [sys.executable, "-W", "ignore", str(home / "flows" / "publish_issue.py")]
    try:
        process = subprocess.run(  # noqa: S603  our own flow, with parameters written here
            [*command, json.dumps({"approve": True})],
            env=dict(environment),
            cwd=state,
            capture_output=True,
            text=True,
            timeout=_FLOW_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UpcycleError(f"the flow did not end within {_FLOW_TIMEOUT} s; try again") from None
    write_atomically(log, (process.stdout + process.stderr).encode())
    lines = process.stdout.strip().splitlines()
    try:
        outcome: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise UpcycleError(f"the flow did not run; its output is in {log}") from None
    if process.returncode != 0:
        raise UpcycleError(f"the flow failed: {outcome['message']} (more in {log})")
    return outcome


def _summary(
    context: AppContext,
    outcome: Mapping[str, Any],
    before: Mapping[IssueId, IssueStatus | None],
    cwd: Path,
    state: Path,
) -> Iterator[str]:
    issue = latest_issue(context)
    if issue is None:
        raise UpcycleError(f"the flow ended without an issue: {outcome['message']}")
    status = issues.status(context.store, issue)
    revision = revisions.load_revision(context.store, issue, status.revision_id if status else None)
    assert status is not None and revision is not None
    earlier = before.get(issue)
    sent_before = int(earlier.as_dict()["sent"]) if earlier else 0
    total = int(status.as_dict()["sent"])
    content = revision.manifest.issue
    yield f"Issue {issue}: {content.subject}"
    for number, essay in enumerate(content.essays):
        yield f"  {'in full' if number == 0 else 'teaser '}   {essay.title}"
    for related in content.related:
        item = related.story.lead
        also = f", also {', '.join(i.feed for i in related.story.items[1:])}"
        yield f"  item      {item.title} ({item.feed}{also if len(related.story.items) > 1 else ''})"
    if total == sent_before:
        yield f"  sent      nothing: all {total} subscribers of issue {issue} have it already"
    else:
        closes = "all deliveries are accounted for" if status.closed else "not closed yet"
        yield f"  sent      {format_count(total - sent_before, 'mail')}; audience {status.audience}, {closes}"
    if outcome["state"] == "Degraded":
        yield f"  degraded  {outcome['message']}"
    issue_folder = context.issues_folder / str(issue)
    for label, path in (
        ("look", issue_folder / "preview.html"),
        ("HTML", issue_folder / "issue.html"),
        ("text", issue_folder / "issue.txt"),
        ("mails", context.mailbox_folder),
        ("archive", context.archive_folder / "index.html"),
        ("Prefect", state / "prefect"),
    ):
        yield f"  {label:<9} {_display_path(path, cwd)}"


def _display_path(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd.resolve())) if path.is_relative_to(cwd.resolve()) else str(path)
