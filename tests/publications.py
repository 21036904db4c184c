"""A publication for tests: its folder, its subscribers, the command line in it, and its mails."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch
from zoneinfo import ZoneInfo

from upcycle_news.app.context import AppContext, utc_now
from upcycle_news.cli import main
from upcycle_news.config.settings import load_settings
from upcycle_news.models import EmailAddress, IssueId, IssueStatus
from upcycle_news.scaffold.layout import init_publication
from upcycle_news.services.delivery import send
from upcycle_news.services.issues import approval, compose, render
from upcycle_news.storage import issues
from upcycle_news.storage.database import open_store
from upcycle_news.storage.subscribers import NewSubscriber, add_subscribers

from .fork_server import ForkedPython

SETTINGS = """\
[publication]
name = "Umbaupost"
public_url = "https://umbaupost.example.net"

[sender]
name = "Redaktion Umbaupost"
address = "post@umbaupost.example.net"

[imprint]
lines = ["Umbau e. V., Lange Straße 1, 12345 Musterstadt"]
privacy_url = "https://verein.example.net/datenschutz"

[browser]
chromium = "off"

[retry]
patience_seconds = 0
"""

# As authors write: straight and foreign quotation marks, a hyphen for a dash, a byline at the end.
KLEINSTADT = """\
Wer durch die Lange Straße geht, hört zuerst die Bohrmaschine. Im früheren Kaufhaus, das elf \
Jahre leer stand, setzt die Tischlerin "ihre" Fenster ein.

"Das Wort 'Leerstand' ist falsch", sagt der Hausmeister - und er muss es wissen.

Der Bestand ist gebaut, bezahlt und vertraut. Größe allein löst nichts.

Von Mathilde Übersee
"""


def create_publication(home: Path) -> Path:
    """Create a publication in `home` that can send, without essays, with its store migrated."""
    init_publication(home, name="Umbaupost", today=date(2026, 11, 1))
    (home / "newsletter.toml").write_text(SETTINGS, encoding="utf-8")
    (home / "content/feeds.toml").write_text("", encoding="utf-8")
    for sample in (home / "content/essays").glob("*.md"):
        sample.unlink()
    (home / "var").mkdir()
    open_store(f"sqlite:///{home}/var/upcycle.db").close()
    return home


class _Terminal(io.StringIO):
    """Typed lines that count as typed on a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass
class CommandResult:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def output(self) -> str:
        return self.out + self.err


@dataclass
class Publication:
    """A publication in `home`. Services run at the time of `clock`, commands at real time."""

    home: Path
    clock: Callable[[], datetime]
    contexts: list[AppContext] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for context in self.contexts:
            context.__exit__()

    # --- set up

    def context(self, **environment: str) -> AppContext:
        """Open a context of its own with these variables (names without the prefix)."""
        with patch.dict(os.environ, _prefixed(environment)):
            settings = load_settings(self.home)
        self.contexts.append(AppContext(settings, clock=self.clock))
        return self.contexts[-1]

    def write_essay(
        self, title: str = "Was vom Bahnhof bleibt", text: str = "", **front: str
    ) -> str:
        """Write an essay with status ready; returns its slug."""
        front = {"title": f'"{title}"', "author": "Redaktion", "date": "2024-05-02"} | front
        slug = title.lower().replace(" ", "-")
        lines = "".join(f"{key}: {value}\n" for key, value in front.items())
        text = text or f"Der Bahnhof der Kleinstadt wird umgebaut. {title} – ein Versuch.\n"
        path = self.home / "content/essays" / f"{front['date']}-{slug}.md"
        path.write_text(f"---\n{lines}status: ready\n---\n\n{text}", encoding="utf-8")
        return slug

    def add_subscribers(self, *people: str | NewSubscriber) -> None:
        """Add confirmed subscribers."""
        add_confirmed_subscribers(self.context(), *people)

    def add_many_subscribers(self, count: int) -> list[str]:
        """Add `count` confirmed subscribers; returns their addresses."""
        addresses = [f"reader{number}@example.org" for number in range(1, count + 1)]
        self.add_subscribers(*addresses)
        return addresses

    def change_setting(self, old: str, new: str) -> None:
        """Replace a text in newsletter.toml, which must be there."""
        path = self.home / "newsletter.toml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    # --- commands

    def run(
        self,
        *arguments: str,
        code: int = 0,
        typed: str = "",
        terminal: bool = False,
        **environment: str,
    ) -> CommandResult:
        """Run the command line in this process; it must end with `code` and no traceback.

        With `terminal` its input counts as a terminal, so that it asks.
        """
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, _prefixed(environment)),
            patch.object(sys, "argv", ["upcycle-news", *arguments]),
            patch.object(sys, "stdin", _Terminal(typed) if terminal else io.StringIO(typed)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
                ended: Any = 0
            except SystemExit as error:
                ended = error.code or 0
        result = CommandResult(ended, out.getvalue(), err.getvalue())
        assert "Traceback" not in result.output
        assert result.code == code, result.output
        return result

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the command in a new process, which has the program loaded already."""
        return ForkedPython(
            [str(Path(sys.executable).parent / "upcycle-news"), *arguments],
            cwd=self.home,
            env={**os.environ, **_prefixed(environment)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    # --- results

    def mails(self) -> list[bytes]:
        """Return the messages in the mailbox, oldest first, without the two trace headers."""
        files = sorted((self.home / "var/mailbox/new").glob("*"))
        return [path.read_bytes().split(b"\r\n", 2)[2] for path in files]

    def recipients(self) -> list[str]:
        return sorted(parse_mail(mail)["To"].addresses[0].addr_spec for mail in self.mails())


def relay_variables(port: int) -> Mapping[str, str]:
    """Return the variables that configure a relay on loopback."""
    return {
        "RELAYS__MAIN__HOST": "127.0.0.1",
        "RELAYS__MAIN__PORT": str(port),
        "RELAYS__MAIN__SECURITY": "none",
        "RELAYS__MAIN__TIMEOUT": "5",
    }


def parse_mail(mail: bytes) -> EmailMessage:
    """Parse a mail."""
    message = message_from_bytes(mail, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def add_confirmed_subscribers(context: AppContext, *people: str | NewSubscriber) -> None:
    """Add confirmed subscribers to a context's store."""
    new = [
        NewSubscriber(EmailAddress.parse(subscriber)) if isinstance(subscriber, str) else subscriber
        for subscriber in people
    ]
    report = add_subscribers(
        context.store, new, source="test list", now=context.clock(), dry_run=False
    )
    assert not report.skipped


def approve_issue(
    context: AppContext, issue: str = "2026-11-26"
) -> tuple[IssueId, render.RenderedRevision]:
    """Compose, render and approve an issue."""
    chosen = IssueId.parse(issue)
    rendered = render.render_revision(context, compose.compose_issue(context, chosen))
    approval.approve(context, rendered, by="test", composed_now=True)
    return chosen, rendered


def send_issue(context: AppContext, issue: str = "2026-11-26") -> IssueStatus:
    """Compose, approve, queue and deliver an issue; returns its status."""
    chosen, rendered = approve_issue(context, issue)
    send.enqueue(context, rendered)
    send.deliver_issue(context, chosen)
    return issue_status(context, chosen)


def issue_status(context: AppContext, issue: IssueId) -> IssueStatus:
    status = issues.status(context.store, issue)
    assert status is not None
    return status


def today() -> str:
    """Return the date that a command takes for today."""
    return str(utc_now().astimezone(ZoneInfo("Europe/Berlin")).date())


def _prefixed(environment: Mapping[str, str]) -> dict[str, str]:
    return {f"UPCYCLE_NEWS_{name}": value for name, value in environment.items()}
