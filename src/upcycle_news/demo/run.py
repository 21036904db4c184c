"""The demo: the real flow on sample content, in a state folder of its own.

It never touches real subscribers or real state: a configured relay is refused, feeds come from
loopback, and the store, the mailbox and Prefect's home are below var/demo.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upcycle_news.api import App, open_app
from upcycle_news.api.publications import (
    DEMO_STAND_INS,
    ENVIRONMENT_PREFIX,
    SETTINGS_FILE,
    bundled_publication,
)
from upcycle_news.demo.feed_server import DemoSite
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import format_count
from upcycle_news.models import IssueStatus

if TYPE_CHECKING:
    from upcycle_news.api.flows import FlowProcess

_SUBSCRIBERS = Path(__file__).with_name("subscribers.csv")
_FLOW_TIMEOUT = 300  # seconds that the flow may take on a slow machine


def run_demo(cwd: Path, *, show: Callable[[str], None]) -> Iterator[str]:
    """Run the main job on the publication in `cwd`, or on the samples; yields lines to print.

    Raises `UpcycleError` when a relay is configured or the flow fails.
    """
    state = (cwd / "var" / "demo").resolve()
    home = _choose_publication(cwd)
    show("The demo runs the real flow, with Prefect's own server: that takes some 15 seconds …")
    with DemoSite(datetime.now(UTC)) as site:
        state.mkdir(parents=True, exist_ok=True)
        (state / "feeds.toml").write_text(site.feeds_toml(), encoding="utf-8")
        _enter_environment(home, state)
        with open_app() as app:
            app.subscribers.import_csv(_SUBSCRIBERS, consent="sample subscribers of the demo")
            before = _latest_status(app)
            process = app.flows.process("publish_issue", {"approve": True}, with_server=False)
        outcome = _run(process, state)
    with open_app() as app:
        yield from _summary(app, outcome, before, cwd, state)


def _choose_publication(cwd: Path) -> Path:
    """Return the publication in `cwd` if it has an essay that is ready, else the bundled one."""
    if (cwd / SETTINGS_FILE).is_file():
        with _open_without_relay(cwd) as app:
            if any(essay.status == "ready" for essay in app.essays.read()):
                return cwd.resolve()
    home = bundled_publication()
    with _open_without_relay(home):
        return home


def _open_without_relay(home: Path) -> App:
    app = open_app(home)
    if app.settings.relays:
        raise UpcycleError(
            "the demo refuses to run where a relay is configured, so that it can reach nobody: "
            f"unset UPCYCLE_NEWS_RELAYS__… and leave [relays] out of {home / SETTINGS_FILE}"
        )
    return app


def _enter_environment(home: Path, state: Path) -> None:
    """Replace our environment variables by the demo's settings; no file is changed."""
    for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
        del os.environ[name]
    variables = {
        "HOME": str(home),
        "STATE": str(state),
        "STORE": f"sqlite:///{state / 'upcycle.db'}",
        "FEEDS__FILE": str(state / "feeds.toml"),
        "FEEDS__ALLOW_PRIVATE": "true",
        "FEEDS__REFRESH_MINUTES": "0",
        "FEEDS__GIT_PULL": "false",
        "ARCHIVE__INDEX_HTML": "true",  # a browser reads it from the disk
    }
    with open_app(home) as app:
        for name, value in DEMO_STAND_INS.items():
            table, key = name.lower().split("__")
            if not getattr(getattr(app.settings, table), key):
                variables[name] = value if isinstance(value, str) else json.dumps(value)
    os.environ.update({ENVIRONMENT_PREFIX + name: value for name, value in variables.items()})


def _latest_status(app: App) -> IssueStatus | None:
    latest = app.issues.latest()
    return app.issues.status(latest) if latest else None


def _run(process: FlowProcess, state: Path) -> dict[str, Any]:
    """Run the flow in the state folder; its last line of output is the outcome."""
    log = state / "flow.log"
    try:
        done = subprocess.run(  # noqa: S603  our own flow, with parameters written here
            process.arguments,
            env=process.environment,
            cwd=state,
            capture_output=True,
            text=True,
            timeout=_FLOW_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UpcycleError(f"the flow did not end within {_FLOW_TIMEOUT} s; try again") from None
    log.write_text(done.stdout + done.stderr, encoding="utf-8")
    lines = done.stdout.strip().splitlines()
    try:
        outcome: dict[str, Any] = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise UpcycleError(f"the flow did not run; its output is in {log}") from None
    if done.returncode != 0:
        raise UpcycleError(f"the flow failed: {outcome['message']} (more in {log})")
    return outcome


def _summary(
    app: App, outcome: Mapping[str, Any], before: IssueStatus | None, cwd: Path, state: Path
) -> Iterator[str]:
    issue = app.issues.latest()
    if issue is None:
        raise UpcycleError(f"the flow ended without an issue: {outcome['message']}")
    status = app.issues.status(issue)
    # Its deliveries have begun, so this is what was sent, and nothing is composed.
    content = app.issues.compose(issue, collect=False).manifest.issue
    sent_before = int(before.as_dict()["sent"]) if before and before.issue == str(issue) else 0
    total = int(status.as_dict()["sent"])
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
    issue_folder = state / "issues" / str(issue)
    for label, path in (
        ("look", issue_folder / "preview.html"),
        ("HTML", issue_folder / "issue.html"),
        ("text", issue_folder / "issue.txt"),
        ("mails", state / "mailbox"),
        ("archive", state / "archive" / "index.html"),
        ("Prefect", state / "prefect"),
    ):
        yield f"  {label:<9} {_display_path(path, cwd)}"


def _display_path(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd.resolve())) if path.is_relative_to(cwd.resolve()) else str(path)
