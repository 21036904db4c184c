"""A publication of the release before goes on with this version: `upgrade.py VENV WHEEL LOCK` tries both wheels.

The wheel of the release before (.ci/previous-release.toml) is built from its commit and installed into VENV with the
packages of its own lock. With it a publication is laid out, gets readers, sends one issue and is stopped in the middle
of another; then the packages of LOCK and WHEEL are installed over it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.services.delivery.sink_relay import Sink  # noqa: E402

READERS = 60
GONE, SUPPRESSED, FORGOTTEN = "weg@example.org", "laut@example.org", "vergessen@example.org"
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
ESSAY = "---\ntitle: {title}\nauthor: Redaktion\ndate: 2026-05-02\nstatus: ready\n---\n\n{text}\n"


def previous_release() -> dict[str, Any]:
    """Return version and commit of the release before."""
    return tomllib.loads((ROOT / ".ci/previous-release.toml").read_text(encoding="utf-8"))


def build_previous_wheel(folder: Path) -> Path | None:
    """Build the wheel of the release before into `folder`; None where its commit is not in this checkout."""
    commit = str(previous_release()["commit"])
    archive = subprocess.run(
        ["git", "archive", "--format=tar", commit], cwd=ROOT, capture_output=True
    )
    if archive.returncode:
        return None
    source = folder / "source"
    source.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", source], input=archive.stdout, check=True)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=source, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    assert previous_release()["version"] in wheel.name, wheel.name
    return wheel


@dataclass(frozen=True)
class Program:
    """The command line of one version; `command` starts it."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, home: Path, *arguments: str) -> subprocess.Popen[str]:
        """Start a command in the publication at `home`."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("UPCYCLE_NEWS_", "PYTHONPATH"))}  # fmt: skip
        return subprocess.Popen(
            [*self.command, *arguments], cwd=home, env={**kept, **self.environment}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, home: Path, *arguments: str, code: int = 0) -> str:
        """Run a command and return its output; it must end with `code`."""
        process = self.start(home, *arguments)
        out, err = process.communicate(timeout=240)
        assert process.returncode == code, f"{' '.join(arguments)}: {process.returncode}\n{out}{err}"  # fmt: skip
        return out

    def json(self, home: Path, *arguments: str) -> Any:
        """Return what a command prints as JSON, a list where each line is a value of its own."""
        values = [json.loads(line) for line in self.run(home, *arguments, "--json").splitlines()]
        return values[0] if len(values) == 1 else values


def days() -> tuple[str, str, str]:
    """Return the ids of three issues: two of the days before, and today's."""
    today = datetime.now(UTC).date()
    first, second = (today - timedelta(days=number) for number in (2, 1))
    return str(first), str(second), str(today)


def write_essay(home: Path, slug: str) -> None:
    """Write an essay that the next issue takes."""
    text = f"Der Bahnhof der Kleinstadt wird umgebaut. {slug} – ein Versuch."
    path = home / f"content/essays/2026-05-02-{slug}.md"
    path.write_text(ESSAY.format(title=f"Essay {slug}", text=text), encoding="utf-8")


def live_with_the_old(old: Program, home: Path, relay: Sink) -> None:
    """Lay out a publication, let it have readers, send an issue, and stop in the middle of another."""
    first, second, _ = days()
    old.run(home.parent, "init", str(home), "--name", "Umbaupost")
    (home / "newsletter.toml").write_text(SETTINGS, encoding="utf-8")
    (home / "content/feeds.toml").write_text("", encoding="utf-8")
    for sample in (home / "content/essays").glob("*.md"):
        sample.unlink()
    people = [f"leserin{number}@example.org" for number in range(READERS)]
    (home / "list.csv").write_text("\n".join(["email", *people, GONE, FORGOTTEN]) + "\n")
    old.run(home, "subscribers", "import", "list.csv", "--consent", "paper list, 3 May 2026")
    write_essay(home, "eins")
    old.run(home, "issue", "send", first, "--yes")
    assert relay.count == READERS + 2
    old.run(home, "subscribers", "unsubscribe", GONE)
    old.run(home, "subscribers", "forget", FORGOTTEN, "--yes")
    old.run(home, "subscribers", "suppress", SUPPRESSED, "--reason", "complaint")
    write_essay(home, "zwei")
    relay_before = relay.count
    slow = Program(old.command, {**old.environment, "UPCYCLE_NEWS_RELAYS__MAIN__QUOTAS": '["10/s"]'})  # fmt: skip
    sending = slow.start(home, "issue", "send", second, "--yes")
    assert relay.wait_for(relay_before + 12, 120), sending.communicate(timeout=5)
    sending.send_signal(signal.SIGTERM)
    sending.communicate(timeout=120)
    status = old.json(home, "issue", "status", second)
    assert 0 < status["sent"] < READERS and status["queued"] + status["sent"] == READERS, status


def recorded(program: Program, home: Path) -> dict[str, Any]:
    """Return what a publication remembers: readers, consents, suppressions, issues and their history."""
    first, second, _ = days()
    readers = list(csv.DictReader(io.StringIO(program.run(home, "subscribers", "export"))))
    return {
        "readers": {row["email"]: row for row in readers},
        "suppressions": sorted(program.run(home, "subscribers", "suppressions").splitlines()),
        "person": program.json(home, "subscribers", "show", "leserin0@example.org"),
        "issues": {
            issue: {
                "status": program.json(home, "issue", "status", issue),
                "history": program.json(home, "issue", "status", issue, "--history"),
            }
            for issue in (first, second)
        },
    }


def raise_if_lost(before: Any, after: Any, place: str = "") -> None:
    """Fail where `after` lacks something of `before`; it may say more."""
    if isinstance(before, dict):
        assert isinstance(after, dict), place
        for key, value in before.items():
            assert key in after, f"{place}/{key} is gone"
            raise_if_lost(value, after[key], f"{place}/{key}")
    elif isinstance(before, list):
        assert len(before) <= len(after), f"{place}: {len(before)} became {len(after)}"
        for number, value in enumerate(before):
            raise_if_lost(value, after[number], f"{place}/{number}")
    else:
        assert before == after, f"{place}: {before!r} became {after!r}"


def go_on_with_the_new(
    new: Program, home: Path, relay: Sink, before: Mapping[str, Any], at_head: bool
) -> None:
    """Upgrade as docs/operations.md says; nothing is lost, and everybody gets each issue once."""
    _, second, third = days()
    new.run(home, "store", "upgrade")
    assert at_head or list((home / "var/backups").glob("*")), "no backup was made"
    raise_if_lost(before, recorded(new, home))
    take_over_files(new, home)
    new.run(home, "issue", "send", second, "--yes")
    status = new.json(home, "issue", "status", second)
    assert status["closed"] and (status["sent"], status["unknown"]) == (READERS, 0), status
    write_essay(home, "drei")
    new.run(home, "issue", "send", third, "--yes")
    status = new.json(home, "issue", "status", third)
    assert status["closed"] and status["sent"] == READERS, status
    assert {len(ids) for name, ids in relay.accepted.items() if name.startswith("leserin")} == {3}
    assert len({i for ids in relay.accepted.values() for i in ids}) == relay.count, "a mail twice"
    assert (len(relay.accepted[GONE]), len(relay.accepted[FORGOTTEN])) == (1, 1)
    assert SUPPRESSED not in relay.accepted


def take_over_files(new: Program, home: Path) -> None:
    """Copy what this version brings for templates and schedules, where there is nothing; `check` finds no error."""
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"(?m)^sudo newsletter sh -c '(cp -rn var/new/templates .*)'$", page)
    new.run(home, "init", "var/new")
    subprocess.run(["sh", "-c", line], cwd=home, check=True)
    shutil.rmtree(home / "var/new")
    new.run(home, "check")


def relay_settings(relay: Sink) -> dict[str, str]:
    """Return the settings that name a relay on loopback."""
    pairs = {"HOST": "127.0.0.1", "PORT": str(relay.port), "SECURITY": "none"}
    return {f"UPCYCLE_NEWS_RELAYS__MAIN__{name}": value for name, value in pairs.items()}


def try_upgrade(
    home: Path, old: Program, new: Program, relay: Sink, install: Callable[[], None] = lambda: None
) -> None:
    """Live with the old version, install the new one, go on."""
    live_with_the_old(old, home, relay)
    before = recorded(old, home)
    install()
    info = new.json(home, "store", "info")
    go_on_with_the_new(new, home, relay, before, info["migration"] == info["newest"])


def install(venv: Path, wheel: Path, lock: Path) -> None:
    """Install the packages of a lock, and a wheel over whatever version is there."""
    if uv := shutil.which("uv"):
        pip = [uv, "pip", "install", "--quiet", "--python", str(venv / "bin/python"), "--no-deps"]
    else:
        python = str(venv / "bin/python")
        pip = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
    subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
    subprocess.run([*pip, "--force-reinstall", str(wheel)], check=True)


def main(venv: Path, wheel: Path, lock: Path) -> int:
    """Try it in a virtual environment; returns 1 where the release before must be there and is not."""
    with tempfile.TemporaryDirectory(prefix="upcycle-upgrade-") as folder:
        previous = build_previous_wheel(Path(folder) / "previous")
        version = previous_release()["version"]
        if previous is None:
            print(f"upgrade from {version}: skipped, its commit is not in this checkout")  # noqa: T201
            return int(os.environ.get("UPCYCLE_REQUIRE_TOOLS") == "1")
        old_lock = Path(folder) / "old.lock"
        tool = Path(folder) / "previous/source/tools/runtime_lock.py"
        with old_lock.open("wb") as file:
            subprocess.run([sys.executable, tool], check=True, stdout=file)
        install(venv, previous, old_lock)
        with Sink() as relay:
            program = Program((str(venv / "bin/upcycle-news"),), relay_settings(relay))
            home = Path(folder) / "newsletter"
            try_upgrade(home, program, program, relay, lambda: install(venv, wheel, lock))
    print(f"upgrade from {version}: nothing is lost, everybody gets each issue once")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(*(Path(argument).absolute() for argument in sys.argv[1:4])))
