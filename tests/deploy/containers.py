"""Does what docs/operations.md says of containers, with a real engine: `containers.py`.

The blocks marked ``<!-- trial: b -->`` run one after the other in a copy of the repository, with the
compose file as it is and one file beside it: other ports, another project's name, and a relay that
counts, in the containers' own network. Skips with a reason, and with 0, where there is no engine,
an older Compose, or no way to the two images that ours is made from.
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
    free_port,
    until,
)

PROJECT = IMAGE = f"upcycle-news-trial-{os.getpid()}"
OURS = ("store", "prefect", "deploy", "worker", "web")
OLDEST = (2, 30)  # Compose knows pre_stop
RELAY = """\
import time
from sink import Sink

class Telling(Sink):
    def take(self, recipient, message):
        super().take(recipient, message)
        print("took", recipient, *self.accepted[recipient][-1:], flush=True)

with Telling(2525, "0.0.0.0"):
    while True:
        time.sleep(3600)
"""


def said(*command: str) -> str:
    """What a command said, the empty string when it failed or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def why_not() -> str:
    """Why this machine cannot do it; the empty string when it can."""
    if not said("docker", "info", "--format", "{{.ServerVersion}}"):
        return "no container engine answers"
    version = said("docker", "compose", "version", "--short")
    if tuple(int(n) for n in re.findall(r"\d+", version)[:2]) < OLDEST:
        return f"Docker Compose is {version or 'not installed'}, and pre_stop needs 2.30"
    docker = ROOT / "deploy/docker"
    python = re.findall(r"(?m)^ARG PYTHON=(\S+)", (docker / "Dockerfile").read_text("utf-8"))[0]
    image = re.findall(r"(?m)^FROM (python:\S+)$", (docker / "Dockerfile").read_text("utf-8"))[0]
    postgres = re.findall(r"image: (postgres:\S+)", (docker / "compose.yaml").read_text("utf-8"))[0]
    for name in (image.replace("${PYTHON}", python), postgres):
        if not said("docker", "image", "inspect", name) and not said("docker", "pull", "-q", name):
            return f"{name} is not here and cannot be fetched"
    return ""


class Trial:
    """The containers of one run, in a copy of the repository that is gone afterwards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.here = folder / "repository/deploy/docker"
        self.ports = {4200: free_port(), 8040: free_port()}
        (folder / "bin").mkdir()
        sudo = folder / "bin/sudo"
        # As root it is a word; as somebody else it has to be there, and asks nothing.
        sudo.write_text('#!/bin/sh\n[ "$(id -u)" = 0 ] || exec /usr/bin/sudo -n "$@"\nexec "$@"\n')
        sudo.chmod(0o755)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "UPCYCLE_"))}
        path = f"{folder}/bin:{Path(sys.executable).parent}:{kept['PATH']}"
        self.environment = {
            **kept, "PATH": path, "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_FILE": "compose.yaml:trial.json", "COMPOSE_PROGRESS": "quiet",
        }  # fmt: skip

    # --- the page

    def run(self) -> None:
        """Every block of containers, in the page's order, each in a shell of its own."""
        checkout(self.folder / "repository")
        self.stand_in()
        found = [m for m in BLOCK.finditer(PAGE.read_text("utf-8")) if "b" in m["sizes"]]
        assert len(found) > 3, "the page has lost its blocks"
        for match in found:
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
            ["bash", "-euo", "pipefail", "-c", text], cwd=self.here, env=self.environment,
            stdin=subprocess.DEVNULL, check=True,
        )  # fmt: skip

    def compose(self, *arguments: str) -> str:
        done = subprocess.run(
            ["docker", "compose", *arguments], cwd=self.here, env=self.environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout

    # --- what a person does between the blocks, and what has to be true then

    def stand_in(self) -> None:
        """The one file beside compose.yaml."""
        quick = {"PREFECT_WORKER_QUERY_SECONDS": "2"}
        services: dict[str, Any] = {name: {"image": IMAGE} for name in OURS}
        services["worker"]["environment"] = quick
        lines = []
        for name, port in (("prefect", 4200), ("web", 8040)):
            lines.append(f"  {name}: {{ports: !override ['127.0.0.1:{self.ports[port]}:{port}']}}")
        services["relay"] = {
            "image": IMAGE, "command": ["python", "/relay/relay.py"], "init": True,
            "volumes": ["./relay:/relay:ro"], "healthcheck": {"disable": True},
        }  # fmt: skip
        (self.here / "relay").mkdir()
        shutil.copy2(ROOT / "tests/services/delivery/sink_relay.py", self.here / "relay/sink.py")
        (self.here / "relay/relay.py").write_text(RELAY, encoding="utf-8")
        # JSON knows no tags, and `!override` is one: so the ports lie in a file of their own.
        (self.here / "trial.json").write_text(json.dumps({"services": services}), encoding="utf-8")
        (self.here / "ports.yaml").write_text("\n".join(["services:", *lines]), encoding="utf-8")
        self.environment["COMPOSE_FILE"] += ":ports.yaml"

    def furnished(self) -> None:
        """Who sends, the relay, one essay, a list."""
        home = self.here / "publication"
        # A relay that is not on this machine wants somebody who is no sample (RFC 2606), and exists nowhere.
        real = SETTINGS.replace("umbaupost.example.net", "umbaupost.internal")
        (home / "newsletter.toml").write_text(real, encoding="utf-8")
        (home / "content/feeds.toml").write_text("", encoding="utf-8")
        for essay in (home / "content/essays").glob("*.md"):
            essay.write_text(re.sub(r"(?m)^status: \w+", "status: ready", essay.read_text("utf-8")), "utf-8")  # fmt: skip
        lines = [f"reader{number}@example.org" for number in range(READERS)]
        (self.here / "list.csv").write_text("\n".join(["email", *lines]) + "\n", encoding="utf-8")
        file = self.here / "compose.env"
        kept = [line for line in file.read_text("utf-8").splitlines() if "__USERNAME=" not in line]
        kept = [line for line in kept if "__HOST=" not in line]
        relay = {"HOST": "relay", "PORT": 2525, "SECURITY": "none", "QUOTAS": '["20/s"]'}
        kept += [f"UPCYCLE_NEWS_RELAYS__MAIN__{name}={value}" for name, value in relay.items()]
        file.write_text("\n".join(kept) + "\n", encoding="utf-8")

    def well(self) -> None:
        """Everything is up and healthy, migrated and deployed, and held as the compose file says."""
        healthy = until("health", lambda: self.healthy() == Counter(postgres=1, prefect=1, web=1, worker=2) and self.healthy())  # fmt: skip
        print(f"    healthy: {dict(healthy)}", flush=True)  # noqa: T201
        for name in ("prefect", "worker", "web"):
            wall = self.compose(
                "exec", "-T", name, "sh", "-c",
                "id -u; for p in / /opt/upcycle-news /srv/newsletter; do "
                "touch $p/x 2>/dev/null && echo writable $p; done; "
                "touch /srv/newsletter/var/x /tmp/x && rm /srv/newsletter/var/x /tmp/x && echo state; "
                "grep -hE '^(CapEff|CapBnd|NoNewPrivs):' /proc/self/status",
            )  # fmt: skip
            none = "0" * 16
            held = {"10001", "state", "CapEff:", "CapBnd:", none, "NoNewPrivs:", "1"}
            assert set(wall.split()) == held, (name, wall)
        port = self.ports[4200]
        page = said("curl", "-fsSL", f"http://127.0.0.1:{port}/")
        assert "<script" in page, "Prefect shows no pages"
        complaints = [line for line in self.compose("logs", "--no-color", *OURS).splitlines() if re.search(r"\bERROR\b|Traceback", line)]  # fmt: skip
        assert not complaints, complaints[:5]

    def healthy(self) -> Counter[str]:
        told = self.compose("ps", "--format", "{{.Service}} {{.Health}}")
        return Counter(line.split()[0] for line in told.splitlines() if line.endswith(" healthy"))

    def took(self) -> Counter[str]:
        """What the relay took: how often for each reader."""
        told = self.compose("logs", "--no-color", "--no-log-prefix", "relay")
        return Counter(re.findall(r"(?m)^took (\S+)", told))

    def status(self) -> dict[str, Any]:
        told = self.compose("exec", "-T", "web", "upcycle-news", "issue", "status", "--json")
        return json.loads(told) if told.startswith("{") else {}

    def issue_sent_although_the_workers_are_stopped(self) -> None:
        until("the first mails", lambda: sum(self.took().values()) > 20)
        self.type("docker compose stop worker")
        stopped, taken = self.status(), sum(self.took().values())
        print(f"    stopped the workers at {taken} mails", flush=True)  # noqa: T201
        # Drained: what was on the wire has its answer, and the rest waits.
        assert stopped["sent"] == taken, (stopped, taken)
        assert stopped["unknown"] == stopped["sending"] == 0, stopped
        assert stopped["queued"] == READERS - taken > 0, stopped
        self.type("docker compose start worker")
        push = ["exec", "-T", "worker", "prefect", "deployment", "run", "deliver-pending/every-five-minutes"]  # fmt: skip
        until("a worker", lambda: self.healthy()["worker"] == 2)
        self.compose(*push)
        until("more mails", lambda: sum(self.took().values()) > taken + 20)
        if os.environ.get("UPCYCLE_TRIAL_KILL"):
            self.type("docker compose kill -s KILL worker && docker compose up -d --force-recreate --no-deps worker")  # fmt: skip
            print(f"    killed them at {sum(self.took().values())} mails", flush=True)  # noqa: T201
            until("a worker", lambda: self.healthy()["worker"] == 2)
        found: dict[str, Any] = {}
        for _ in range(15):  # a container that was killed counts as dead after ten minutes
            self.compose(*push)
            deadline = time.monotonic() + 60
            while not (found := self.status()).get("closed") and time.monotonic() < deadline:
                time.sleep(2)
            if found.get("closed"):
                break
        assert found["closed"], found
        assert found["sent"] + found["unknown"] == READERS, found
        assert found["unknown"] <= 4, found  # one for each connection that was cut
        self.nobody_twice()

    def nobody_twice(self) -> None:
        taken = self.took()
        twice = [name for name, times in taken.items() if times > 1]
        assert not twice, f"{len(twice)} readers got it twice"
        print(f"    {len(taken)} readers got it, none twice", flush=True)  # noqa: T201
        assert READERS - 4 <= len(taken) <= READERS

    def everything_ends_by_itself(self) -> None:
        """A stop reaches every program behind its init, and none has to be killed."""
        self.type("docker compose stop")
        told = self.compose("ps", "--all", "--format", "{{.Service}} {{.State}} {{.ExitCode}}")
        assert told.count("exited") == len(told.splitlines()) > len(OURS), told
        assert " 137" not in told, told

    def end(self, *, failed: bool) -> None:
        if failed:
            print(self.compose("ps", "-a") + self.compose("logs", "--no-color", "--tail", "60"))  # noqa: T201  # fmt: skip
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
        said("docker", "image", "rm", IMAGE)


def main() -> int:
    reason = why_not()
    if reason:
        print(f"size b: skipped, {reason}")  # noqa: T201
        return 0
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="upcycle-trial-", dir="/var/tmp"))
    folder.chmod(0o755)
    trial, passed = Trial(folder), False
    try:
        trial.run()
        trial.everything_ends_by_itself()
        passed = True
    finally:
        trial.end(failed=not passed)
        if os.environ.get("UPCYCLE_TRIAL_KEEP") is None:
            said("sudo", "-n", "rm", "-rf", str(folder)) if os.geteuid() else None
            shutil.rmtree(folder, ignore_errors=True)
    print(f"size b: as written, in {time.monotonic() - began:.0f} s")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
