"""The systemd units: systemd accepts them, and the programs they start exist."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from upcycle_news.config.sections import WebSettings
from upcycle_news.config.settings import load_settings
from upcycle_news.prefect_api.environment import QUIET_ENVIRONMENT, server_environment

from .tools import BIN, DEPLOY, program

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
NAMES = [unit.name for unit in UNITS]
WRITABLE_PATHS = "ReadWritePaths=/srv/newsletter/var"


def settings_of(unit: Path, key: str) -> list[str]:
    return re.findall(rf"(?m)^{key}=(.*)$", unit.read_text(encoding="utf-8"))


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder of the units with this machine's paths of the programs."""
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8").replace("/opt/upcycle-news/bin", str(BIN))
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    return tmp_path


def test_systemd_accepts_every_line(installed: Path) -> None:
    analyze = program("systemd-analyze")
    command = [analyze, "verify", "--man=no", *(str(installed / name) for name in NAMES)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_would_report_a_mistake(installed: Path) -> None:
    unit = installed / "upcycle-news-web.service"
    unit.write_text(unit.read_text(encoding="utf-8").replace("RestartSec", "RestartSecs"))
    done = subprocess.run(
        [program("systemd-analyze"), "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
    )
    assert "RestartSecs" in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_the_exposure_level_of_each_unit_is_low(installed: Path, name: str) -> None:
    """By systemd's own exposure level: 10 is an unconfined service of root; below 2 is OK."""
    done = subprocess.run(
        [
            program("systemd-analyze"), "security", "--offline=true", "--no-pager",
            "--threshold=15", str(installed / name),
        ],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("unit", UNITS, ids=NAMES)
def test_no_unit_runs_as_root_and_each_has_time_to_drain(unit: Path) -> None:
    assert settings_of(unit, "User") == ["newsletter"]
    assert WRITABLE_PATHS in unit.read_text(encoding="utf-8")
    assert settings_of(unit, "EnvironmentFile") == ["/etc/upcycle-news.env"]
    assert 30 <= int(settings_of(unit, "TimeoutStopSec")[0]) <= 90
    assert settings_of(unit, "MemoryMax")
    assert not settings_of(unit, "SystemCallFilter")[-1].count(
        "resources"
    )  # the parser sandbox sets limits


def test_the_units_start_the_documented_programs() -> None:
    program_of = {
        unit.name: settings_of(unit, "ExecStart")[0].removeprefix("/opt/upcycle-news/bin/")
        for unit in UNITS
    }
    assert program_of["upcycle-news-prefect.service"] == "prefect server start"
    assert program_of["upcycle-news-runner.service"].endswith("-m upcycle_news_flows.serve")
    assert program_of["upcycle-news-web.service"] == "upcycle-news web"
    page = (DEPLOY.parent / "docs/operations.md").read_text(encoding="utf-8")
    assert not [
        name for name in program_of if name.removesuffix(".service").rstrip("@") not in page
    ]


def test_systemd_keeps_the_port_of_the_web_pages_open() -> None:
    unit, web = DEPLOY / "systemd/upcycle-news-web.socket", WebSettings()
    assert settings_of(unit, "ListenStream") == [f"{web.host}:{web.port}"]
    service = DEPLOY / "systemd/upcycle-news-web.service"
    assert settings_of(service, "Sockets") == [unit.name] == settings_of(service, "Also")
    assert int(settings_of(service, "LimitNOFILE")[0]) > 2 * web.connections
    page = (DEPLOY.parent / "docs/operations.md").read_text(encoding="utf-8")
    assert f"install -m 0644 upcycle-news-*.service {unit.name} " in page


def environment() -> dict[str, str]:
    text = (DEPLOY / "systemd/upcycle-news.env").read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^#?([A-Z][A-Z0-9_]+)=(.*)$", text))


def test_every_variable_of_the_environment_file_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in environment().items():
        if name.startswith("UPCYCLE_NEWS_") and not name.endswith("_FILE"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("UPCYCLE_NEWS_HOME", str(tmp_path))
    settings = load_settings()
    assert settings.log.level == "info"
    assert settings.relays["main"].host == "smtp.example.org"


def test_prefect_is_as_quiet_as_with_the_up_command() -> None:
    variables = environment()
    different = {"PREFECT_SERVER_LOGGING_LEVEL"}  # a service's journal may say what went wrong
    assert {name: variables[name] for name in QUIET_ENVIRONMENT if name not in different} == {
        name: value for name, value in QUIET_ENVIRONMENT.items() if name not in different
    }
    assert variables["PREFECT_SERVER_EPHEMERAL_ENABLED"] == "false"
    assert Path(
        variables["PREFECT_HOME"]
    ).is_absolute()  # runs of a worker start in folders of their own


def test_prefect_unpacks_its_pages_to_a_writable_folder() -> None:
    """Beside its program it cannot: then it starts with a warning, and without its pages."""
    image = (DEPLOY / "docker/Dockerfile").read_text(encoding="utf-8")
    name = "PREFECT_SERVER_UI_STATIC_DIRECTORY"
    assert environment()[name] == "/srv/newsletter/var/prefect/ui"
    assert f"{name}={environment()[name]} " in image
    home = Path("/somewhere")
    own = server_environment({}, home, host="127.0.0.1", port=4200)
    assert Path(own[name]).is_relative_to(home)
