"""Runs the commands of docs/operations.md for one machine on a machine of its own: `machine.py`.

A Debian in a folder (debootstrap) is started with its own systemd (systemd-nspawn), and the blocks
marked ``<!-- trial: a -->`` or ``<!-- trial: m -->`` are typed in it as they stand, the user and the
packages too. Only the ports differ: the machine shares the network with this one, and uses our relay
on loopback. At the end it is rebooted. Ends with 0 and a reason where this is not possible: it needs
root, Debian's packages debootstrap and systemd-container, and two registries.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.deploy.trial import Trial, checkout, expect  # noqa: E402
from tests.services.delivery.sink_relay import Sink  # noqa: E402

SUITE = os.environ.get("UPCYCLE_TRIAL_SUITE", "bookworm")
# What docs/operations.md expects on a rented Debian.
PACKAGES = "systemd,systemd-sysv,dbus,sudo,curl,procps,ca-certificates,tzdata,python3,python3-venv"
# Since version 256 systemd runs on control groups v1 only when it is told to.
CGROUPS_V1 = (
    []
    if Path("/sys/fs/cgroup/cgroup.controllers").exists()
    else [
        "--setenv=SYSTEMD_PROC_CMDLINE=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1 systemd.unified_cgroup_hierarchy=0"
    ]
)
PROBE = """\
for unit in prefect web runner; do
  pid=$(systemctl show -p MainPID --value upcycle-news-$unit)
  echo $unit $(sed -nE 's/^(CapBnd|NoNewPrivs|Seccomp):\\s*/\\1=/p' /proc/$pid/status)
  nsenter -t $pid -m -- sh -c 'for folder in / /etc /opt/upcycle-news /srv/newsletter /srv/newsletter/var /tmp; do
    touch $folder/.probe 2>/dev/null && rm $folder/.probe && echo $folder; done; ls -A /root /home'
done
"""


class Machine(Trial):
    """The trial of one machine, whose root file system is a folder."""

    nspawn: subprocess.Popen[bytes] | None = None

    def lay_out(self) -> None:
        """Install Debian, the certificates of this machine, and the wheel and lock to install from."""
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(self.folder)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        certificates = Path("/etc/ssl/certs/ca-certificates.crt")
        if certificates.exists():
            shutil.copy2(certificates, self.folder / certificates.relative_to("/"))
        (self.folder / "etc/hostname").write_text("newsletter\n")
        (self.folder / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 newsletter\n")
        copy, dist = self.folder / "opt/repository", self.folder / "opt/dist"
        checkout(copy)
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(dist)]
        subprocess.run(build, cwd=copy, check=True, stdout=subprocess.DEVNULL)
        lock = [sys.executable, copy / "tools/runtime_lock.py", "all"]
        with (dist / "runtime.lock").open("wb") as file:
            subprocess.run(lock, check=True, stdout=file)
        self.boot()

    def boot(self) -> None:
        self.nspawn = subprocess.Popen(
            [
                "systemd-nspawn", "--quiet", "--boot", f"--directory={self.folder}", "--register=no",
                "--keep-unit", "--machine=newsletter-trial", "--resolv-conf=copy-host",
                "--timezone=off", "--console=pipe", *CGROUPS_V1,
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        expect("the machine's start", self.is_running, 60)

    def is_running(self) -> bool:
        assert self.nspawn is not None
        if self.nspawn.poll() is not None:
            raise AssertionError(f"systemd-nspawn ended with {self.nspawn.returncode}")
        done = subprocess.run(self.inside("systemctl", "is-system-running"), capture_output=True, text=True)  # fmt: skip
        return done.stdout.strip() in ("running", "degraded")

    def inside(self, *command: str) -> list[str]:
        """Return the command that runs `command` as root in the machine."""
        assert self.nspawn is not None
        children = Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children")
        init = (children.read_text().split() or ["0"])[-1] if children.exists() else "0"
        pip_settings = {name: value for name, value in os.environ.items() if name.startswith("PIP_") and name != "PIP_FIND_LINKS"}  # fmt: skip
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        variables = [
            path,
            "HOME=/root",
            *(f"{name}={value}" for name, value in pip_settings.items()),
        ]
        return ["nsenter", "-t", init, "-m", "-u", "-i", "-p", "-r", "-w", "--", "env", "-i", *variables, *command]  # fmt: skip

    def localized(self, text: str) -> str:
        """Return the text with this trial's ports, and the folder of the wheel."""
        for port, own_port in self.ports.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{own_port}")
            text = text.replace(f"_PORT={port}", f"_PORT={own_port}")
        return text.replace("dist/", "/opt/dist/")

    def localize_files(self) -> None:
        file = self.folder / "etc/upcycle-news.env"
        file.write_text(self.localized(file.read_text("utf-8")), encoding="utf-8")

    def type(self, text: str) -> str:
        """Run commands in a shell of the machine."""
        if self.shell is None:
            self.shell = subprocess.Popen(
                self.inside("bash", "-euo", "pipefail"), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
        return super().type(text)

    def newsletter(self, *command: str) -> str:
        done = subprocess.run(self.inside("/usr/local/bin/newsletter", *command), capture_output=True, text=True)  # fmt: skip
        return done.stdout

    def check_confinement(self) -> None:
        """Check that the running services are confined as their units say."""
        output = subprocess.run(self.inside("sh", "-c", PROBE), capture_output=True, text=True, check=True).stdout  # fmt: skip
        limits = f"CapBnd={'0' * 16} NoNewPrivs=1 Seccomp=2"
        wanted = [[f"{unit} {limits}", "/srv/newsletter/var", "/tmp", "/home:", "", "/root:"] for unit in ("prefect", "web", "runner")]  # fmt: skip
        assert output.splitlines() == [line for lines in wanted for line in lines], output
        failed = subprocess.run(self.inside("systemctl", "--failed", "--no-legend"), capture_output=True, text=True)  # fmt: skip
        assert not failed.stdout.strip(), failed.stdout

    def check_reboot(self) -> None:
        """Reboot: every service starts again, and no mail is sent twice."""
        self.power_off()
        self.boot()
        self.wait_for_deployments()
        port = self.ports["8040"]
        health_check = ["curl", "-fsS", f"http://127.0.0.1:{port}/healthz"]
        expect(
            "the web server",
            lambda: subprocess.run(health_check, capture_output=True).returncode == 0,
        )
        expect("the runner", lambda: subprocess.run(self.inside("systemctl", "is-active", "upcycle-news-runner"), capture_output=True).stdout.strip() == b"active")  # fmt: skip
        self.check_confinement()
        self.check_no_mail_is_repeated()

    def power_off(self) -> None:
        if self.shell is not None:
            self.shell.kill()
            self.shell.wait()
            self.shell = None
        if self.nspawn is not None and self.nspawn.poll() is None:
            self.nspawn.send_signal(signal.SIGTERM)  # asks its systemd to power off
            try:
                self.nspawn.wait(120)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()

    def journal(self) -> str:
        return subprocess.run(self.inside("journalctl", "-u", "upcycle-news-*", "--no-pager", "-n", "80"), capture_output=True, text=True).stdout  # fmt: skip


def missing_requirement() -> str:
    """Return why this machine cannot run the trial, an empty string when it can."""
    if os.geteuid() != 0:
        return "it needs root"
    missing = [name for name in ("debootstrap", "systemd-nspawn", "nsenter", "curl") if shutil.which(name) is None]  # fmt: skip
    return f"{', '.join(missing)}: not installed" if missing else ""


def main() -> int:
    reason = missing_requirement()
    if reason:
        print(f"a machine of its own: skipped, {reason}")  # noqa: T201
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    started_at = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="upcycle-machine-", dir="/var/tmp"))
    folder.chmod(0o755)
    with Sink() as relay:
        trial, passed = Machine("am", Path("/opt/upcycle-news"), folder, relay), False
        try:
            trial.lay_out()
            trial.run()
            trial.check_confinement()
            trial.check_reboot()
            passed = True
        finally:
            if not passed and trial.nspawn is not None and trial.nspawn.poll() is None:
                print(trial.journal())  # noqa: T201
            trial.power_off()
            if not os.environ.get("UPCYCLE_TRIAL_KEEP"):
                shutil.rmtree(folder, ignore_errors=True)
    print(f"a machine of its own: as written, in {time.monotonic() - started_at:.0f} s")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
