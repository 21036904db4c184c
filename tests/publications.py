"""A publication for tests: its folder, its people, the command line in it, and its mails."""

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
from upcycle_news.storage.subscribers import NewSubscriber, add_people

SETTINGS = """\
[publication]
name = "Umbaupost"
public_url = "https://umbaupost.example.net"

[sender]
name = "Redaktion Umbaupost"
address = "post@umbaupost.example.net"

[imprint]
lines = ["Umbau e. V., Lange Straße 1, 12345 Musterstadt"]

[retry]
patience_seconds = 0
"""

# What editors hand in: straight and foreign quotation marks, a hyphen for a dash, a byline last.
KLEINSTADT = """\
Wer durch die Lange Straße geht, hört zuerst die Bohrmaschine. Im früheren Kaufhaus, das elf \
Jahre leer stand, setzt die Tischlerin "ihre" Fenster ein.

"Das Wort 'Leerstand' ist falsch", sagt der Hausmeister - und er muss es wissen.

Der Bestand ist gebaut, bezahlt und vertraut. Größe allein löst nichts.

Von Mathilde Übersee
"""


def lay_out(home: Path) -> Path:
    """A new publication in `home` that could send, without essays, with its store migrated."""
    init_publication(home, name="Umbaupost", today=date(2026, 11, 1))
    (home / "newsletter.toml").write_text(SETTINGS, encoding="utf-8")
    (home / "content/feeds.toml").write_text("", encoding="utf-8")
    for sample in (home / "content/essays").glob("*.md"):
        sample.unlink()
    (home / "var").mkdir()
    open_store(f"sqlite:///{home}/var/upcycle.db").close()
    return home


@dataclass
class Done:
    """What a command left behind."""

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
    def told(self) -> str:
        return self.out + self.err


@dataclass
class Publication:
    """A publication in `home`. Steps run at the time of `clock`, commands at the world's time."""

    home: Path
    clock: Callable[[], datetime]
    rooms: list[AppContext] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for context in self.rooms:
            context.__exit__()

    # --- by hand

    def context(self, **environment: str) -> AppContext:
        """A newsroom of its own, opened with these variables (names without the prefix)."""
        with patch.dict(os.environ, _prefixed(environment)):
            settings = load_settings(self.home)
        self.rooms.append(AppContext(settings, clock=self.clock))
        return self.rooms[-1]

    def essay(self, title: str = "Was vom Bahnhof bleibt", text: str = "", **front: str) -> str:
        """Write an essay that is ready; returns its slug."""
        front = {"title": f'"{title}"', "author": "Redaktion", "date": "2024-05-02"} | front
        slug = title.lower().replace(" ", "-")
        lines = "".join(f"{key}: {value}\n" for key, value in front.items())
        text = text or f"Der Bahnhof der Kleinstadt wird umgebaut. {title} – ein Versuch.\n"
        path = self.home / "content/essays" / f"{front['date']}-{slug}.md"
        path.write_text(f"---\n{lines}status: ready\n---\n\n{text}", encoding="utf-8")
        return slug

    def readers(self, *people: str | NewSubscriber) -> None:
        """Add confirmed subscribers."""
        add(self.context(), *people)

    def crowd(self, count: int) -> list[str]:
        """Add so many readers; returns their addresses."""
        addresses = [f"reader{number}@example.org" for number in range(1, count + 1)]
        self.readers(*addresses)
        return addresses

    def setting(self, old: str, new: str) -> None:
        """Replace a piece of newsletter.toml, which must be there."""
        path = self.home / "newsletter.toml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    # --- by command

    def run(self, *arguments: str, code: int = 0, typed: str = "", **environment: str) -> Done:
        """Run the command line in this process; it must end with `code` and no traceback."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, _prefixed(environment)),
            patch.object(sys, "argv", ["upcycle-news", *arguments]),
            patch.object(sys, "stdin", io.StringIO(typed)),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                main()
                ended: Any = 0
            except SystemExit as exit_:
                ended = exit_.code or 0
        done = Done(ended, out.getvalue(), err.getvalue())
        assert "Traceback" not in done.told
        assert done.code == code, done.told
        return done

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the command as a process of its own."""
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "upcycle-news"), *arguments],
            cwd=self.home,
            env={**os.environ, **_prefixed(environment)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    # --- what came of it

    def mails(self) -> list[bytes]:
        """The messages in the mailbox, oldest first, without the two trace headers."""
        files = sorted((self.home / "var/mailbox/new").glob("*"))
        return [path.read_bytes().split(b"\r\n", 2)[2] for path in files]

    def recipients(self) -> list[str]:
        return sorted(parsed(mail)["To"].addresses[0].addr_spec for mail in self.mails())


def relay_at(port: int) -> Mapping[str, str]:
    """The variables that configure a relay on loopback."""
    return {
        "RELAYS__MAIN__HOST": "127.0.0.1",
        "RELAYS__MAIN__PORT": str(port),
        "RELAYS__MAIN__SECURITY": "none",
        "RELAYS__MAIN__TIMEOUT": "5",
    }


def parsed(mail: bytes) -> EmailMessage:
    """A mail as a mail program reads it."""
    found = message_from_bytes(mail, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def add(context: AppContext, *people: str | NewSubscriber) -> None:
    """Add confirmed subscribers to a room's store."""
    new = [
        NewSubscriber(EmailAddress.parse(one)) if isinstance(one, str) else one for one in people
    ]
    report = add_people(context.store, new, source="test list", now=context.clock(), dry_run=False)
    assert not report.skipped


def prepared(context: AppContext, issue: str = "2026-11-26") -> tuple[IssueId, str]:
    """Compose, render and approve an issue."""
    chosen = IssueId.parse(issue)
    revision_id = compose.compose_issue(context, chosen).revision_id
    render.render_issue(context, chosen, revision_id)
    approval.record_approval(context, chosen, revision_id, by="test")
    return chosen, revision_id


def sent(context: AppContext, issue: str = "2026-11-26") -> IssueStatus:
    """Compose, approve, queue and deliver an issue; its closing sum."""
    chosen, revision_id = prepared(context, issue)
    send.enqueue(context, chosen, revision_id)
    send.deliver_issue(context, chosen)
    return status(context, chosen)


def status(context: AppContext, issue: IssueId) -> IssueStatus:
    found = issues.status(context.store, issue)
    assert found is not None
    return found


def today() -> str:
    """The day a command takes for today."""
    return str(utc_now().astimezone(ZoneInfo("Europe/Berlin")).date())


def _prefixed(environment: Mapping[str, str]) -> dict[str, str]:
    return {f"UPCYCLE_NEWS_{name}": value for name, value in environment.items()}
