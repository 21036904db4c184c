"""Runs the commands of docs/operations.md unchanged on one machine: `trial.py a` or `trial.py c`.

The blocks marked ``<!-- trial: a -->`` run one after the other in one shell. Folders and ports are
replaced by the trial's own, `systemctl` is tests/deploy/systemctl.py, the relay is one on loopback
that counts. ``after: NAME`` and ``then: NAME`` call a method of `Trial` before and after the block.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.deploy.systemctl import (  # noqa: E402
    DROP,
    UID,
    active_pid,
    stop,
)
from tests.processes import free_port  # noqa: E402
from tests.services.delivery.sink_relay import Sink  # noqa: E402
from tests.waiting import wait_until  # noqa: E402

PAGE = ROOT / "docs/operations.md"
READERS = 400
TIMEOUT = 240.0  # seconds for one condition, on a machine that is busy
BLOCK = re.compile(
    r"^<!-- trial: (?P<sizes>[abcm ]+?)(?:, after: (?P<after>\w+))?(?:, then: (?P<then>\w+))? -->\n"
    r"```sh\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
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


def expect(event: str, condition: Callable[[], Any], seconds: float = TIMEOUT) -> Any:
    """Wait for the first true value of `condition` and return it; fails with the name of the event."""
    failure = f"{event} did not happen within {seconds:.0f} s"
    return wait_until(condition, failure, seconds=seconds, interval=0.3)


def checkout(folder: Path) -> None:
    """Clone what is committed to `folder`, so that nothing changes during the trial."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)


@dataclass
class Trial:
    """The trial of one size of installation on this machine, below a folder of its own."""

    size: str
    venv: Path
    folder: Path
    relay: Sink
    ports: dict[str, int] = field(default_factory=lambda: {n: free_port() for n in ("4200", "8040", "5432")})  # fmt: skip
    postgres: Path | None = None
    shell: subprocess.Popen[str] | None = None
    next_push: float = 0.0

    # --- the machine

    def lay_out(self) -> None:
        """Create the folders of a machine, and the programs that the page names."""
        for name in (
            "bin",
            "etc/systemd/system",
            "run",
            "log",
            "mnt",
            "opt",
            "srv",
            "usr/local/bin",
        ):
            (self.folder / name).mkdir(parents=True)
        self.folder.chmod(0o755)
        (self.folder / "opt/upcycle-news").symlink_to(self.venv)
        shim = f'exec {sys.executable} {ROOT}/tests/deploy/systemctl.py {self.folder} "$@"\n'
        self._program("systemctl", shim)
        drop_rights = f"exec {DROP} " if os.geteuid() == 0 else "exec "
        as_postgres = "exec setpriv --reuid=postgres --regid=postgres --clear-groups " if os.geteuid() == 0 else "exec "  # fmt: skip
        self._program(
            "sudo",
            'if [ "$1" = -u ] && [ "$2" = postgres ]; then shift 2; '
            f'cd /; {as_postgres}"$@"; fi\nexec "$@"\n',
        )
        self._drop_rights = drop_rights

    def _program(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{text}", encoding="utf-8")
        path.chmod(0o755)

    def localized(self, text: str) -> str:
        """Return the text with this trial's folders, ports and user."""
        for path in ("/opt/upcycle-news", "/srv/newsletter", "/etc/upcycle-news.env", "/etc/systemd/system", "/usr/local/bin", "/mnt/backups"):  # fmt: skip
            text = re.sub(rf"(?<![\w/.-]){re.escape(path)}", f"{self.folder}{path}", text)
        for port, own_port in self.ports.items():
            text = re.sub(rf"(?<=[:=]){port}\b", str(own_port), text)
        owner = (UID, UID) if os.geteuid() == 0 else (str(os.getuid()), str(os.getgid()))
        text = re.sub(r"-o newsletter\b", f"-o {owner[0]}", text)
        text = re.sub(r"-g newsletter\b", f"-g {owner[1]}", text)
        return text.replace("newsletter:newsletter", f"{owner[0]}:{owner[1]}")

    def localize_files(self) -> None:
        """Replace folders and ports in the installed files, as in the page's commands."""
        for path in [
            *self.folder.glob("etc/systemd/system/*"),
            self.folder / "etc/upcycle-news.env",
        ]:
            path.write_text(self.localized(path.read_text(encoding="utf-8")), encoding="utf-8")
        wrapper = self.folder / "usr/local/bin/newsletter"
        text = self.localized(wrapper.read_text(encoding="utf-8"))
        change_user = "setpriv --reuid=newsletter --regid=newsletter --init-groups --"
        assert change_user in text
        text = text.replace(f"exec {change_user}", self._drop_rights.strip())
        # Only once, also where the trial's services run as root (systemctl.py).
        root = 'if [ "$(id -u)" = 0 ]; then'
        assert root in text
        once = 'if [ -z "${DROPPED:-}" ]; then\n  export DROPPED=1'
        wrapper.write_text(text.replace(root, once), encoding="utf-8")

    # --- the page

    def run(self) -> None:
        """Run every block of this size, in the order of the page."""
        blocks = [
            m for m in BLOCK.finditer(PAGE.read_text("utf-8")) if set(self.size) & set(m["sizes"])
        ]
        assert len(blocks) > 5, "the blocks of the page were not recognised"
        for match in blocks:
            if match["after"]:
                getattr(self, match["after"])()
            for line in match["text"].splitlines():
                print(f"  $ {line}", flush=True)  # noqa: T201
            self.type(self.localized(match["text"]))
            if "/usr/local/bin/newsletter" in match["text"]:
                self.localize_files()
            if match["then"]:
                getattr(self, match["then"])()

    def type(self, text: str) -> str:
        """Run commands in the shell and return their output; fails when one of them does."""
        if self.shell is None:
            inherited = {
                k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "UPCYCLE_"))
            }
            path = f"{self.folder}/bin:{self.folder}/usr/local/bin:{inherited['PATH']}"
            self.shell = subprocess.Popen(
                ["bash", "-euo", "pipefail"], cwd=self.folder, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env={**inherited, "PATH": path, "PGHOST": "127.0.0.1", "PGPORT": str(self.ports["5432"]), "HOME": "/tmp"},
            )  # fmt: skip
        shell, mark = self.shell, f"--done-{time.monotonic_ns()}--"
        assert shell.stdin is not None and shell.stdout is not None
        shell.stdin.write(f"{text}\necho {mark}\n")
        shell.stdin.flush()
        output: list[str] = []
        for line in shell.stdout:
            if line.strip() == mark:
                return "".join(output)
            output.append(line)
            print(f"    {line}", end="", flush=True)  # noqa: T201
        raise AssertionError("a command of the page failed:\n" + text)

    def newsletter(self, *command: str) -> str:
        done = subprocess.run(
            [str(self.folder / "usr/local/bin/newsletter"), *command],
            capture_output=True,
            text=True,
        )
        return done.stdout

    # --- what an operator does between the blocks, and what must hold then

    def edit_publication(self) -> None:
        home = self.folder / "srv/newsletter"
        (home / "newsletter.toml").write_text(SETTINGS, encoding="utf-8")
        (home / "content/feeds.toml").write_text("", encoding="utf-8")
        lines = [f"reader{number}@example.org" for number in range(READERS)]
        (home / "list.csv").write_text("\n".join(["email", *lines]) + "\n", encoding="utf-8")
        for essay in (home / "content/essays").glob("*.md"):
            essay.write_text(re.sub(r"(?m)^status: \w+", "status: ready", essay.read_text("utf-8")), "utf-8")  # fmt: skip
        relay = {"HOST": "127.0.0.1", "PORT": self.relay.port, "SECURITY": "none", "QUOTAS": '["20/s"]'}  # fmt: skip
        with (self.folder / "etc/upcycle-news.env").open("a", encoding="utf-8") as file:
            for name, value in relay.items():
                file.write(f"UPCYCLE_NEWS_RELAYS__MAIN__{name}='{value}'\n")
            file.write(f"UPCYCLE_NEWS_WEB__PORT={self.ports['8040']}\n")
            file.write("PREFECT_RUNNER_POLL_FREQUENCY=2\nPREFECT_WORKER_QUERY_SECONDS=2\n")

    def ask(self, path: str, body: Any = None) -> Any:
        url = f"http://127.0.0.1:{self.ports['4200']}/api{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.load(answer)
        except (OSError, urllib.error.HTTPError):
            return None

    def wait_for_prefect(self) -> None:
        expect("Prefect's server", lambda: self.ask("/health"))

    def wait_for_deployments(self) -> None:
        self.wait_for_prefect()
        wanted = (
            (self.folder / "srv/newsletter/prefect.yaml").read_text("utf-8").count("entrypoint:")
        )
        expect("the deployments", lambda: (self.ask("/deployments/count", {}) or 0) >= wanted)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['4200']}/", timeout=30) as page:
            assert b"<script" in page.read(), "Prefect shows no pages"

    def status(self) -> dict[str, Any]:
        output = self.newsletter("upcycle-news", "issue", "status", "--json")
        return json.loads(output) if output.startswith("{") else {}

    def check_send_with_a_stopped_runner(self) -> None:
        expect("the first mails", lambda: self.relay.count > 20)
        self.type("sudo systemctl stop upcycle-news-runner")
        stopped = self.status()
        print(f"    stopped the runner at {self.relay.count} mails", flush=True)  # noqa: T201
        # Drained: mails in transit have their reply, and the rest is queued.
        assert stopped["sent"] == self.relay.count, stopped
        assert stopped["unknown"] == stopped["sending"] == 0, stopped
        assert stopped["queued"] == READERS - stopped["sent"] > 0, stopped
        self.type("sudo systemctl start upcycle-news-runner")
        self.wait_for_deployments()
        expect("the end of the issue", lambda: not self.is_open() or self.push_pending())
        status = self.status()
        assert status["sent"] == status["audience"] == READERS, status
        self.assert_each_reader_got_it_once()

    def assert_each_reader_got_it_once(self) -> None:
        assert len(self.relay.accepted) == READERS, len(self.relay.accepted)
        duplicates = [ids for ids in self.relay.accepted.values() if len(ids) > 1]
        assert not duplicates, f"{len(duplicates)} readers got it twice"

    def check_send_with_a_killed_worker(self) -> None:
        expect("the first mails", lambda: self.relay.count > 20)
        busy = {
            number
            for number in (1, 2)
            for pid in self.descendants(active_pid(self.folder, f"upcycle-news-worker@{number}"))
            if "PREFECT__FLOW_RUN_ID=" in self.environment_of(pid)
        }
        assert busy, "no worker executes the run"
        victim = active_pid(self.folder, f"upcycle-news-worker@{min(busy)}")
        for pid in self.descendants(victim):
            os.kill(pid, signal.SIGKILL)
        print(f"    killed worker {min(busy)} and its runs at {self.relay.count} mails", flush=True)  # noqa: T201
        # The other worker continues; deliver-pending takes over what the killed one had leased.
        expect("the end of the issue", lambda: not self.is_open() or self.push_pending())
        status = expect("the final counts", lambda: (s := self.status()).get("closed") and s)
        assert status["sent"] + status["unknown"] == READERS, status
        assert status["unknown"] <= 2, status  # one for each connection that died
        duplicates = [ids for ids in self.relay.accepted.values() if len(ids) > 1]
        assert not duplicates, f"{len(duplicates)} readers got it twice"
        assert READERS - status["unknown"] <= len(self.relay.accepted) <= READERS

    def is_open(self) -> bool:
        return not self.status().get("closed")

    def push_pending(self) -> bool:
        """Start deliver-pending every 45 s, ahead of its schedule; true once the issue is closed."""
        if time.monotonic() >= self.next_push:
            self.next_push = time.monotonic() + 45
            self.newsletter("prefect", "deployment", "run", "deliver-pending/when-due")
        return not self.is_open()

    def check_no_mail_is_repeated(self) -> None:
        """Let deliver-pending run once more to its end: it must not send anything."""
        run = ("prefect", "deployment", "run", "--watch", "deliver-pending/when-due")
        self.newsletter(*run)
        self.assert_each_reader_got_it_once()

    # --- processes

    def processes(self) -> list[int]:
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]

    def environment_of(self, pid: int) -> str:
        try:
            return Path(f"/proc/{pid}/environ").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            return ""

    def descendants(self, pid: int) -> list[int]:
        return [other for other in self.processes() if self.is_descendant(other, pid)]

    def is_descendant(self, pid: int, ancestor: int) -> bool:
        while pid > 1:
            try:
                pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                return False
            if pid == ancestor:
                return True
        return False

    # --- Postgres

    def start_postgres(self) -> None:
        """Start Debian's PostgreSQL with a data folder and a port of the trial's."""
        versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        assert versions, "Debian's package postgresql is not installed"
        self.postgres = versions[-1].parent
        data = self.folder / "postgres"
        data.mkdir()
        if os.geteuid() == 0:
            shutil.chown(data, "postgres", "postgres")
        self._postgres("initdb", "-D", str(data / "data"), "-A", "trust", "-U", "postgres", "-N")
        options = f"-p {self.ports['5432']} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data} -c fsync=off"  # fmt: skip
        self._postgres("pg_ctl", "-D", str(data / "data"), "-o", options, "-l", str(data / "log"), "-w", "start")  # fmt: skip

    def _postgres(self, name: str, *arguments: str) -> None:
        assert self.postgres is not None
        drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        prefix = drop if os.geteuid() == 0 else []
        subprocess.run([*prefix, str(self.postgres / name), *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/")  # fmt: skip

    def end(self) -> None:
        """Stop everything that was started."""
        if self.shell is not None:
            self.shell.kill()
        for name in ("worker@1", "worker@2", "runner", "web", "prefect"):
            pid = active_pid(self.folder, f"upcycle-news-{name}")
            family = [pid, *self.descendants(pid)] if pid else []
            stop(self.folder, f"upcycle-news-{name}")
            for member in family:  # some may not have ended by themselves
                with suppress(ProcessLookupError):
                    os.kill(member, signal.SIGKILL)
        if self.postgres is not None:
            self._postgres("pg_ctl", "-D", str(self.folder / "postgres/data"), "-m", "immediate", "stop")  # fmt: skip


def main(size: str, venv: Path) -> int:
    started_at = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # runs `Trial.end`
    # Not below /tmp: each service has a private /tmp, as with PrivateTmp.
    folder = Path(tempfile.mkdtemp(prefix="upcycle-trial-", dir="/var/tmp"))
    with Sink() as relay:
        trial = Trial(size, venv, folder, relay)
        trial.lay_out()
        passed = False
        try:
            if size == "c":
                trial.start_postgres()
            trial.run()
            for log in sorted((folder / "log").glob("*.log")):
                assert "had to be killed" not in log.read_text("utf-8", "replace"), log.name
            passed = True
        finally:
            if not passed:
                for log in sorted((folder / "log").glob("*.log")):
                    print(f"--- {log.name}\n" + log.read_text("utf-8", "replace")[-3000:])  # noqa: T201  # fmt: skip
            trial.end()
            if not os.environ.get("UPCYCLE_TRIAL_KEEP"):
                shutil.rmtree(folder, ignore_errors=True)
    print(f"size {size}: as written, in {time.monotonic() - started_at:.0f} s")  # noqa: T201
    return 0


if __name__ == "__main__":
    # Not resolved: bin/python of a virtual environment is a link to another installation.
    sys.exit(
        main(sys.argv[1], Path(sys.argv[2]).absolute() if len(sys.argv) > 2 else Path(sys.prefix))
    )
