"""A replacement for systemd in the trial: reads our units, starts, restarts and stops them.

What it implements of a unit: environment, command, user (as a number without rights), read-only
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

_FILE = Path(__file__).resolve()
# Another user cannot read a checkout in a folder that only its owner may enter; then the services run
# as root, which without capabilities has no more rights than any user.
_READABLE = all(folder.stat().st_mode & 0o001 for folder in _FILE.parents)
UID = "10001" if _READABLE else "0"
# As root on a machine whose Python lies in root's home: read it, and nothing more.
DROP = (
    "setpriv --no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all"
    if not _READABLE
    else f"setpriv --reuid={UID} --regid={UID} --clear-groups --no-new-privs "
    "--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search "
    "--bounding-set=-all,+dac_read_search"
)


def main(folder: Path, verb: str, *units: str) -> int:
    """Run one command of systemctl."""
    names = [unit.removesuffix(".service") for unit in units if not unit.startswith("-")]
    if verb == "supervise":
        return Supervisor(folder, names[0]).run()
    now = verb in ("start", "stop", "restart") or "--now" in units
    for name in names:
        if now and verb in ("stop", "disable", "restart"):
            stop(folder, name)
        if now and verb in ("start", "enable", "restart"):
            start(folder, name)
        if verb == "is-active" and not active_pid(folder, name):
            return 3
    return 0


def unit(folder: Path, name: str) -> dict[str, list[str]]:
    """Return the settings of a unit, those of a template with its instance filled in."""
    stem, at, instance = name.partition("@")
    text = (folder / "etc/systemd/system" / f"{stem}{at}.service").read_text(encoding="utf-8")
    settings: dict[str, list[str]] = defaultdict(list)
    for key, value in re.findall(r"(?m)^(\w+)=(.*)$", text):
        settings[key].append(value.replace("%i", instance).replace("%H", "trial"))
    return settings


def pid_file(folder: Path, name: str) -> Path:
    return folder / "run" / f"{name}.pid"


def active_pid(folder: Path, name: str) -> int:
    """Return the supervisor's process id, 0 when the unit is not active."""
    try:
        pid = int(pid_file(folder, name).read_text())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return 0
    return pid


def start(folder: Path, name: str) -> None:
    if active_pid(folder, name):
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
    pid = active_pid(folder, name)
    if pid:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + float(unit(folder, name)["TimeoutStopSec"][0]) + 10
        while active_pid(folder, name) and time.monotonic() < deadline:
            _reap(pid)
            time.sleep(0.1)
    pid_file(folder, name).unlink(missing_ok=True)


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):  # another process's child
        os.waitpid(pid, os.WNOHANG)


def _private_tmp_commands() -> str:
    """Return commands for a private /tmp, in which a checkout below /tmp is mounted again."""
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
        self.settings = unit(folder, name)
        self.process: subprocess.Popen[bytes] | None = None
        self.ending = False

    def run(self) -> int:
        signal.signal(signal.SIGTERM, self.end)
        while not self.ending:
            self.process = subprocess.Popen(
                self.command(self.settings["ExecStart"][0]), start_new_session=True
            )
            code = self.process.wait()
            if self.ending or (self.settings["Restart"] == ["on-failure"] and code == 0):
                break
            time.sleep(min(float(self.settings["RestartSec"][0]), 2))
        self.wait_for_all()
        return 0

    def command(self, line: str) -> list[str]:
        environment = Path(self.settings["EnvironmentFile"][0])
        words = shlex.split(line)
        inner = (
            f"set -a; . {shlex.quote(str(environment))}; set +a; umask {self.settings['UMask'][0]}; "
            f"cd {shlex.quote(self.settings['WorkingDirectory'][0])}; exec {shlex.join(words)}"
        )
        if os.geteuid() != 0:
            return ["sh", "-c", inner]
        keep = " ".join(self.settings["ReadWritePaths"]).split()
        binds = "".join(f"mount --bind {path} {path}; " for path in keep)
        confined = (
            f"mount --make-rprivate /; {binds}{_private_tmp_commands()}"
            f"mount -o remount,ro,bind /; exec {DROP} sh -c {shlex.quote(inner)}"
        )
        return ["unshare", "--mount", "sh", "-ec", confined]

    def end(self, *_: object) -> None:
        self.ending = True
        for command in self.settings["ExecStop"]:
            subprocess.run(self.command(command), check=False)
        self.signal_all(signal.SIGTERM)

    def members(self) -> list[int]:
        """Return the pids of the service: the descendants of its process and their sessions."""
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
        deadline = time.monotonic() + float(self.settings["TimeoutStopSec"][0])
        while self.members() and time.monotonic() < deadline:
            time.sleep(0.1)
        if self.members():
            print("had to be killed", flush=True)  # noqa: T201
            self.signal_all(signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
