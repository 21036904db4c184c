"""The image and the compose file, checked without an engine."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from upcycle_news.config.settings import load_settings

from ..processes import free_port
from ..publications import Publication
from ..web.web_server import running_server
from .tools import (
    BIN,
    DEPLOY,
    ROOT,
    program,
)

DOCKER = DEPLOY / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
OURS = {name: service for name, service in COMPOSE["services"].items() if name != "postgres"}


def instruction(name: str) -> str:
    """Return the last instruction of this name, with its lines joined."""
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    return re.findall(rf"(?m)^{name} (.*)$", joined)[-1]


def test_hadolint_reports_nothing() -> None:
    done = subprocess.run(
        [program("hadolint"), str(DOCKER / "Dockerfile")], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_an_unprivileged_user_with_hashed_packages() -> None:
    assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", instruction("USER"))
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line]
    assert len(installs) == 3
    assert all("--require-hashes" in line or "/dist/*.whl" in line for line in installs)
    assert all("--no-deps" in line for line in installs)


def test_dockerignore_lets_through_what_the_image_is_built_from() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] != "#"]
    included = [rule[1:] for rule in rules if rule.startswith("!")]
    assert rules[0] == "*"
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    packed = re.findall(r'(?m)^"([^"]+)" = "upcycle_news/_publication', project)
    needed = ["requirements.lock", "tools/runtime_lock.py", "src", "README.md", "LICENSE", *packed]
    needed += re.findall(r"(?m)^COPY (?:--chmod=\d+ )?(deploy/\S+)", DOCKERFILE)
    assert len(needed) > 10
    assert not [name for name in needed if not (ROOT / name).exists()]
    assert not [name for name in needed if not any(fnmatch(name, rule) for rule in included)]
    assert not [name for name in included if name.startswith(("var", ".venv", ".git"))]


def test_the_runtime_lock_has_the_driver_and_no_development_tools() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/runtime_lock.py"), "postgres"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    names = set(re.findall(r"(?m)^([a-z0-9.-]+)[=\[]", done.stdout))
    assert {"psycopg", "asyncpg", "prefect", "structlog"} <= names
    assert not {"pytest", "mypy", "ruff", "hatchling"} & names
    # Built with one Python, installed with another: Debian 12 has 3.11.2, Debian 13 has 3.13.
    lines = [line for line in done.stdout.splitlines() if " ; python_full_version " in line]
    marked = {line.partition("==")[0] for line in lines}
    assert {"async-timeout", "pendulum", "whenever"} <= marked


def test_every_container_of_ours_is_confined() -> None:
    for name, service in OURS.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"] == instruction("USER"), name


def test_the_containers_listen_on_loopback_only() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_workers_wait_for_the_migration_and_have_time_to_drain() -> None:
    for name in ("worker", "web"):
        assert OURS[name]["depends_on"]["store"]["condition"] == "service_completed_successfully"
        assert int(OURS[name]["stop_grace_period"].rstrip("s")) >= 30


def test_every_secret_is_a_file_and_every_volume_is_declared() -> None:
    for name, service in COMPOSE["services"].items():
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"]), name
        named = {volume.partition(":")[0] for volume in service.get("volumes", [])}
        named = {volume for volume in named if not volume.startswith(".")}
        assert named <= set(COMPOSE["volumes"]), name
        assert not re.search(r"(?i)password=(?!$)\w", json.dumps(service.get("environment", {})))
    used = {
        secret for service in COMPOSE["services"].values() for secret in service.get("secrets", [])
    }
    assert used == set(COMPOSE["secrets"])


def test_the_variables_of_the_containers_are_settings(
    publication: Publication, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = (DOCKER / "compose.env.example").read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=")[::2] for line in lines if line and line[0] != "#"]
    pairs += re.findall(r"(UPCYCLE_NEWS_\w+)=(\S+)", instruction("ENV"))
    pairs += list(OURS["web"]["environment"].items())
    for name, value in pairs:
        if value.startswith("/run/secrets/"):
            secret = tmp_path / Path(value).name
            secret.write_text("sqlite:///x.db" if secret.name == "store" else "geheim\n")
            value = str(secret)
        monkeypatch.setenv(name, value)
    settings = load_settings(publication.home)
    assert settings.store == "sqlite:///x.db"
    assert settings.relays["main"].password.get_secret_value() == "geheim"
    assert settings.log.format == "json"
    assert not settings.feeds.git_pull  # nothing is pulled into a read-only folder


def commands() -> list[list[str]]:
    """Return the commands of the containers, also those inside of shells and `exec`."""
    container_commands = [json.loads(instruction("CMD")), *(service["command"] for service in OURS.values() if "command" in service)]  # fmt: skip
    flat = []
    for command in container_commands:
        if command[:2] == ["sh", "-c"]:
            text = re.sub(r"\S+=\$\$\(.*?\) exec | \|\| .*$", "", command[2])
            flat += [shlex.split(part) for part in re.split("&&|;", text)]
        else:
            flat.append(command)
    return flat


def asked(command: list[str]) -> list[str]:
    """Return the words that ask for the help of a command."""
    words = [word for word in command[1:] if not word.startswith("-")]
    depth = 1 if words[0] == "deploy" or words[:1] == ["web"] else 2
    return [command[0], *words[:depth], "--help"]


# All in one process: most of the cost is to import Prefect.
HELP = """\
import io, json, sys
from contextlib import redirect_stdout
from importlib.metadata import entry_points

said = []
for words in json.loads(sys.argv[1]):
    [program] = entry_points(group="console_scripts", name=words[0])
    sys.argv = words
    with redirect_stdout(io.StringIO()) as output:
        try:
            code = program.load()()
        except SystemExit as ended:
            code = ended.code
    said.append([code or 0, output.getvalue()])
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def helps() -> dict[str, list[Any]]:
    """The exit code and the output of each command with --help."""
    wanted = [asked(command) for command in commands()]
    done = subprocess.run(
        [sys.executable, "-c", HELP, json.dumps(wanted)], capture_output=True, text=True,
        env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(zip(map(" ".join, wanted), json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_of_a_container_exists(
    command: list[str], helps: dict[str, list[Any]]
) -> None:
    """The program is installed, and has the subcommand and the options."""
    assert os.access(BIN / command[0], os.X_OK)
    code, output = helps[" ".join(asked(command))]
    assert code == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
    assert plain.strip()
    options = {word for word in command[1:] if word.startswith("--")}
    assert not [option for option in options if option not in plain]


def test_the_health_check_fails_without_a_web_server(
    publication: Publication,
) -> None:
    port = free_port()
    check = [sys.executable, str(DOCKER / "healthy.py"), f"http://127.0.0.1:{port}/healthz"]
    with running_server(publication.context(), port):
        assert subprocess.run(check).returncode == 0
    assert subprocess.run(check, capture_output=True).returncode == 1


def test_postgres_is_healthy_only_when_it_listens_on_tcp() -> None:
    """Its image is set up by a server on the socket alone, which answers there and then ends."""
    test = COMPOSE["services"]["postgres"]["healthcheck"]["test"]
    assert test[test.index("-h") + 1] == "127.0.0.1"


def test_the_image_is_built_once_and_only_its_base_is_fetched() -> None:
    assert [name for name, service in OURS.items() if "build" in service] == ["store"]
    assert {service["image"] for service in OURS.values()} == {"upcycle-news"}
    # BuildKit's built-in Dockerfile frontend is enough: another one would be fetched without a hash.
    assert "# syntax=" not in DOCKERFILE
