"""A stand-in for systemd, for the trial: reads our units, starts them, restarts and stops them.

What it takes over from a unit: environment, command, user (as a number without rights), read-only
root with `ReadWritePaths` (where this process may make mount namespaces), Restart and RestartSec,
and a stop that reaches every process of the service and waits TimeoutStopSec.

    systemctl.py FOLDER start|stop|restart|enable|disable|is-active|daemon-reload [--now] UNIT…
    systemctl.py FOLDER supervise UNIT
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

_HERE = Path(__file__).resolve()
# A checkout in a folder that only its owner may enter is out of a stranger's reach; then the services
# are root, who without capabilities is a user as any other.
_REACHED = all(folder.stat().st_mode & 0o001 for folder in _HERE.parents)
UID = "10001" if _REACHED else "0"
# As root on a machine whose Python lies in root's home: read it, and nothing more.
DROP = (
    "setpriv --no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all"
    if not _REACHED
    else f"setpriv --reuid={UID} --regid={UID} --clear-groups --no-new-privs "
    "--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search "
    "--bounding-set=-all,+dac_read_search"
)


def main(folder: Path, verb: str, *units: str) -> int:
    """One command of systemctl."""
    names = [unit.removesuffix(".service") for unit in units if not unit.startswith("-")]
    if verb == "supervise":
        return Supervisor(folder, names[0]).run()
    now = verb in ("start", "stop", "restart") or "--now" in units
    for name in names:
        if now and verb in ("stop", "disable", "restart"):
            stop(folder, name)
        if now and verb in ("start", "enable", "restart"):
            start(folder, name)
        if verb == "is-active" and not alive(folder, name):
            return 3
    return 0


def unit(folder: Path, name: str) -> dict[str, list[str]]:
    """The settings of a unit, a template's with its instance filled in."""
    stem, at, instance = name.partition("@")
    text = (folder / "etc/systemd/system" / f"{stem}{at}.service").read_text(encoding="utf-8")
    found: dict[str, list[str]] = defaultdict(list)
    for key, value in re.findall(r"(?m)^(\w+)=(.*)$", text):
        found[key].append(value.replace("%i", instance).replace("%H", "trial"))
    return found


def pid_file(folder: Path, name: str) -> Path:
    return folder / "run" / f"{name}.pid"


def alive(folder: Path, name: str) -> int:
    """The supervisor's process id, 0 when the unit is not active."""
    try:
        pid = int(pid_file(folder, name).read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return 0
    return pid


def start(folder: Path, name: str) -> None:
    if alive(folder, name):
        return
    for needed in " ".join(unit(folder, name)["Requires"]).split():
        start(folder, needed.removesuffix(".service"))
    with (folder / "log" / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, __file__, str(folder), "supervise", name],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    pid_file(folder, name).write_text(str(process.pid))


def stop(folder: Path, name: str) -> None:
    pid = alive(folder, name)
    if pid:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + float(unit(folder, name)["TimeoutStopSec"][0]) + 10
        while alive(folder, name) and time.monotonic() < deadline:
            _reap(pid)
            time.sleep(0.1)
    pid_file(folder, name).unlink(missing_ok=True)


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # somebody else's child
        os.waitpid(pid, os.WNOHANG)


def _own_tmp() -> str:
    """Commands that give a service a /tmp of its own, in which a checkout below /tmp is still found."""
    root = Path(__file__).resolve().parents[2]
    if not root.is_relative_to("/tmp"):
        return "mount -t tmpfs tmpfs /tmp; "
    return (
        f"held=$(mktemp -d -p /var/tmp); mount --bind {root} $held; mount -t tmpfs tmpfs /tmp; "
        f"mkdir -p {root}; mount --bind $held {root}; umount $held; rmdir $held; "
    )


class Supervisor:
    """Keeps one unit running until SIGTERM."""

    def __init__(self, folder: Path, name: str) -> None:
        self.told = unit(folder, name)
        self.process: subprocess.Popen[bytes] | None = None
        self.ending = False

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self.end)
        while not self.ending:
            self.process = subprocess.Popen(
                self.command(self.told["ExecStart"][0]), start_new_session=True
            )
            code = self.process.wait()
            if self.ending or (self.told["Restart"] == ["on-failure"] and code == 0):
                break
            time.sleep(min(float(self.told["RestartSec"][0]), 2))
        self.wait_for_all()
        return 0

    def command(self, told: str) -> list[str]:
        environment = Path(self.told["EnvironmentFile"][0])
        words = shlex.split(told)
        inner = (
            f"set -a; . {shlex.quote(str(environment))}; set +a; umask {self.told['UMask'][0]}; "
            f"cd {shlex.quote(self.told['WorkingDirectory'][0])}; exec {shlex.join(words)}"
        )
        if os.geteuid() != 0:
            return ["sh", "-c", inner]
        keep = " ".join(self.told["ReadWritePaths"]).split()
        binds = "".join(f"mount --bind {path} {path}; " for path in keep)
        walls = (
            f"mount --make-rprivate /; {binds}{_own_tmp()}"
            f"mount -o remount,ro,bind /; exec {DROP} sh -c {shlex.quote(inner)}"
        )
        return ["unshare", "--mount", "sh", "-ec", walls]

    def end(self, *_: object) -> None:
        self.ending = True
        for command in self.told["ExecStop"]:
            subprocess.run(self.command(command), check=False)
        self.signal_all(signal.SIGTERM)

    def members(self) -> list[int]:
        """Every process of the service: ours are children of one session, or of theirs."""
        if self.process is None:
            return []
        known = {self.process.pid}
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if fields[0] != "Z":
                    parents[int(entry.name)] = (int(fields[1]), int(fields[3]))
        grown = True
        while grown:
            more = {p for p, (up, session) in parents.items() if up in known or session in known}
            grown = bool(more - known)
            known |= more
        return [pid for pid in known if pid in parents]

    def signal_all(self, number: int) -> None:
        for pid in self.members():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def wait_for_all(self) -> None:
        deadline = time.monotonic() + float(self.told["TimeoutStopSec"][0])
        while self.members() and time.monotonic() < deadline:
            time.sleep(0.1)
        if self.members():
            print("had to be killed", flush=True)  # noqa: T201
            self.signal_all(signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
