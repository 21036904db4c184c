"""Runs the commands of docs/operations.md for containers with a real engine: `containers.py`.

The blocks marked ``<!-- trial: b -->`` run one after the other in a copy of the repository, with the
compose file unchanged and one more file: other ports, another project name, and a relay that counts,
in the containers' own network. Ends with 0 and a reason where there is no engine, an older Compose,
or where the two base images cannot be fetched.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.deploy.trial import (  # noqa: E402
    BLOCK,
    PAGE,
    READERS,
    SETTINGS,
    checkout,
    expect,
)
from tests.processes import free_port  # noqa: E402

PROJECT = IMAGE = f"upcycle-news-trial-{os.getpid()}"
OURS = ("store", "prefect", "deploy", "worker", "web")
OLDEST = (2, 30)  # Compose knows pre_stop
RELAY = """\
import time
from sink import Sink

class LoggingSink(Sink):
    def take(self, recipient, message):
        super().take(recipient, message)
        print("took", recipient, *self.accepted[recipient][-1:], flush=True)

with LoggingSink(2525, "0.0.0.0"):
    while True:
        time.sleep(3600)
"""


def output_of(*command: str) -> str:
    """Return the output of a command, an empty string when it failed or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def missing_requirement() -> str:
    """Return why this machine cannot run the trial, an empty string when it can."""
    if not output_of("docker", "info", "--format", "{{.ServerVersion}}"):
        return "no container engine answers"
    version = output_of("docker", "compose", "version", "--short")
    if tuple(int(n) for n in re.findall(r"\d+", version)[:2]) < OLDEST:
        return f"Docker Compose is {version or 'not installed'}, and pre_stop needs 2.30"
    docker = ROOT / "deploy/docker"
    python = re.findall(r"(?m)^ARG PYTHON=(\S+)", (docker / "Dockerfile").read_text("utf-8"))[0]
    image = re.findall(r"(?m)^FROM (python:\S+)$", (docker / "Dockerfile").read_text("utf-8"))[0]
    postgres = re.findall(r"image: (postgres:\S+)", (docker / "compose.yaml").read_text("utf-8"))[0]
    for name in (image.replace("${PYTHON}", python), postgres):
        if not output_of("docker", "image", "inspect", name) and not output_of(
            "docker", "pull", "-q", name
        ):
            return f"{name} is not here and cannot be fetched"
    return ""


class Trial:
    """The containers of one trial, in a temporary copy of the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.compose_folder = folder / "repository/deploy/docker"
        self.ports = {4200: free_port(), 8040: free_port()}
        (folder / "bin").mkdir()
        sudo = folder / "bin/sudo"
        # As root it does nothing; for another user it must not ask for a password.
        sudo.write_text('#!/bin/sh\n[ "$(id -u)" = 0 ] || exec /usr/bin/sudo -n "$@"\nexec "$@"\n')
        sudo.chmod(0o755)
        inherited = {
            k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "UPCYCLE_"))
        }
        path = f"{folder}/bin:{Path(sys.executable).parent}:{inherited['PATH']}"
        self.environment = {
            **inherited, "PATH": path, "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_FILE": "compose.yaml:trial.json", "COMPOSE_PROGRESS": "quiet",
        }  # fmt: skip

    # --- the page

    def run(self) -> None:
        """Run every block for containers, in the order of the page, each in a shell of its own."""
        checkout(self.folder / "repository")
        self.write_trial_files()
        blocks = [m for m in BLOCK.finditer(PAGE.read_text("utf-8")) if "b" in m["sizes"]]
        assert len(blocks) > 3, "the blocks of the page were not recognised"
        for match in blocks:
            if match["after"]:
                getattr(self, match["after"])()
            for line in match["text"].splitlines():
                print(f"  $ {line}", flush=True)  # noqa: T201
            text = (
                match["text"]
                .replace("cd deploy/docker\n", "")
                .replace(" upcycle-news upcycle-news ", f" {IMAGE} upcycle-news ")
            )
            self.type(text)
            if match["then"]:
                getattr(self, match["then"])()

    def type(self, text: str) -> None:
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], cwd=self.compose_folder, env=self.environment,
            stdin=subprocess.DEVNULL, check=True,
        )  # fmt: skip

    def compose(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", "compose", *arguments], cwd=self.compose_folder, env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout

    # --- what an operator does between the blocks, and what must hold then

    def write_trial_files(self) -> None:
        """Write the files beside compose.yaml: image, relay and ports of the trial."""
        fast_polling = {"PREFECT_WORKER_QUERY_SECONDS": "2"}
        services: dict[str, Any] = {name: {"image": IMAGE} for name in OURS}
        services["worker"]["environment"] = fast_polling
        lines = []
        for name, port in (("prefect", 4200), ("web", 8040)):
            lines.append(f"  {name}: {{ports: !override ['127.0.0.1:{self.ports[port]}:{port}']}}")
        services["relay"] = {
            "image": IMAGE, "command": ["python", "/relay/relay.py"], "init": True,
            "volumes": ["./relay:/relay:ro"], "healthcheck": {"disable": True},
        }  # fmt: skip
        (self.compose_folder / "relay").mkdir()
        shutil.copy2(
            ROOT / "tests/services/delivery/sink_relay.py", self.compose_folder / "relay/sink.py"
        )
        (self.compose_folder / "relay/relay.py").write_text(RELAY, encoding="utf-8")
        # JSON has no tags, and `!override` is one: so the ports are in a file of their own.
        (self.compose_folder / "trial.json").write_text(
            json.dumps({"services": services}), encoding="utf-8"
        )
        (self.compose_folder / "ports.yaml").write_text(
            "\n".join(["services:", *lines]), encoding="utf-8"
        )
        self.environment["COMPOSE_FILE"] += ":ports.yaml"

    def edit_publication(self) -> None:
        """Write the settings, the relay, one essay and a list."""
        home = self.compose_folder / "publication"
        # With a relay that is not local, sample domains (RFC 2606) are refused; .internal exists nowhere.
        settings = SETTINGS.replace("umbaupost.example.net", "umbaupost.internal")
        (home / "newsletter.toml").write_text(settings, encoding="utf-8")
        (home / "content/feeds.toml").write_text("", encoding="utf-8")
        for essay in (home / "content/essays").glob("*.md"):
            essay.write_text(re.sub(r"(?m)^status: \w+", "status: ready", essay.read_text("utf-8")), "utf-8")  # fmt: skip
        lines = [f"reader{number}@example.org" for number in range(READERS)]
        (self.compose_folder / "list.csv").write_text(
            "\n".join(["email", *lines]) + "\n", encoding="utf-8"
        )
        file = self.compose_folder / "compose.env"
        env_lines = [
            line for line in file.read_text("utf-8").splitlines() if "__USERNAME=" not in line
        ]
        env_lines = [line for line in env_lines if "__HOST=" not in line]
        relay = {"HOST": "relay", "PORT": 2525, "SECURITY": "none", "QUOTAS": '["20/s"]'}
        env_lines += [f"UPCYCLE_NEWS_RELAYS__MAIN__{name}={value}" for name, value in relay.items()]
        file.write_text("\n".join(env_lines) + "\n", encoding="utf-8")

    def check_health(self) -> None:
        """Check that all containers are healthy and confined, and that Prefect shows its pages."""
        healthy = expect("health", lambda: self.healthy_services() == Counter(postgres=1, prefect=1, web=1, worker=2) and self.healthy_services())  # fmt: skip
        print(f"    healthy: {dict(healthy)}", flush=True)  # noqa: T201
        for name in ("prefect", "worker", "web"):
            output = self.compose(
                "exec", "-T", name, "sh", "-c",
                "id -u; for p in / /opt/upcycle-news /srv/newsletter; do "
                "touch $p/x 2>/dev/null && echo writable $p; done; "
                "touch /srv/newsletter/var/x /tmp/x && rm /srv/newsletter/var/x /tmp/x && echo state; "
                "grep -hE '^(CapEff|CapBnd|NoNewPrivs):' /proc/self/status",
            )  # fmt: skip
            none = "0" * 16
            expected = {"10001", "state", "CapEff:", "CapBnd:", none, "NoNewPrivs:", "1"}
            assert set(output.split()) == expected, (name, output)
        port = self.ports[4200]
        page = output_of("curl", "-fsSL", f"http://127.0.0.1:{port}/")
        assert "<script" in page, "Prefect shows no pages"
        complaints = [line for line in self.compose("logs", "--no-color", *OURS).splitlines() if re.search(r"\bERROR\b|Traceback", line)]  # fmt: skip
        assert not complaints, complaints[:5]

    def healthy_services(self) -> Counter[str]:
        output = self.compose("ps", "--format", "{{.Service}} {{.Health}}")
        return Counter(line.split()[0] for line in output.splitlines() if line.endswith(" healthy"))

    def accepted(self) -> Counter[str]:
        """Return how many mails the relay accepted for each subscriber."""
        output = self.compose("logs", "--no-color", "--no-log-prefix", "relay")
        return Counter(re.findall(r"(?m)^took (\S+)", output))

    def status(self) -> dict[str, Any]:
        output = self.compose("exec", "-T", "web", "upcycle-news", "issue", "status", "--json")
        return json.loads(output) if output.startswith("{") else {}

    def check_send_with_stopped_workers(self) -> None:
        expect("the first mails", lambda: sum(self.accepted().values()) > 20)
        self.type("docker compose stop worker")
        stopped, accepted = self.status(), sum(self.accepted().values())
        print(f"    stopped the workers at {accepted} mails", flush=True)  # noqa: T201
        # Drained: mails in transit have their reply, and the rest is queued.
        assert stopped["sent"] == accepted, (stopped, accepted)
        assert stopped["unknown"] == stopped["sending"] == 0, stopped
        assert stopped["queued"] == READERS - accepted > 0, stopped
        self.type("docker compose start worker")
        push = ["exec", "-T", "worker", "prefect", "deployment", "run", "deliver-pending/when-due"]  # fmt: skip
        expect("a worker", lambda: self.healthy_services()["worker"] == 2)
        self.compose(*push)
        expect("more mails", lambda: sum(self.accepted().values()) > accepted + 20)
        if os.environ.get("UPCYCLE_TRIAL_KILL"):
            self.type("docker compose kill -s KILL worker && docker compose up -d --force-recreate --no-deps worker")  # fmt: skip
            print(f"    killed them at {sum(self.accepted().values())} mails", flush=True)  # noqa: T201
            expect("a worker", lambda: self.healthy_services()["worker"] == 2)
        for _ in range(15):  # a container that was killed counts as dead after ten minutes
            self.compose(*push)
            with suppress(AssertionError):
                expect("the end of the issue", lambda: self.status().get("closed"), 60)
                break
        status = self.status()
        assert status["closed"], status
        assert status["sent"] + status["unknown"] == READERS, status
        assert status["unknown"] <= 4, status  # one for each connection that was cut
        self.assert_no_mail_is_repeated()

    def assert_no_mail_is_repeated(self) -> None:
        accepted = self.accepted()
        duplicates = [name for name, times in accepted.items() if times > 1]
        assert not duplicates, f"{len(duplicates)} readers got it twice"
        print(f"    {len(accepted)} readers got it, none twice", flush=True)  # noqa: T201
        assert READERS - 4 <= len(accepted) <= READERS

    def check_clean_stop(self) -> None:
        """Stop all containers: every program ends on SIGTERM, and none has to be killed."""
        self.type("docker compose stop")
        output = self.compose("ps", "--all", "--format", "{{.Service}} {{.State}} {{.ExitCode}}")
        assert output.count("exited") == len(output.splitlines()) > len(OURS), output
        assert " 137" not in output, output

    def end(self, *, failed: bool) -> None:
        if failed:
            print(self.compose("ps", "-a") + self.compose("logs", "--no-color", "--tail", "60"))  # noqa: T201  # fmt: skip
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
        output_of("docker", "image", "rm", IMAGE)


def main() -> int:
    reason = missing_requirement()
    if reason:
        print(f"size b: skipped, {reason}")  # noqa: T201
        return 0
    started_at = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="upcycle-trial-", dir="/var/tmp"))
    folder.chmod(0o755)
    trial, passed = Trial(folder), False
    try:
        trial.run()
        trial.check_clean_stop()
        passed = True
    finally:
        trial.end(failed=not passed)
        if os.environ.get("UPCYCLE_TRIAL_KEEP") is None:
            output_of("sudo", "-n", "rm", "-rf", str(folder)) if os.geteuid() else None
            shutil.rmtree(folder, ignore_errors=True)
    print(f"size b: as written, in {time.monotonic() - started_at:.0f} s")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
