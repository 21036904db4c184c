from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from upcycle_news import __version__
from upcycle_news.cli.app import SHELVES, app

from ..publications import Publication


def commands(group: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all commands, groups left out."""
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


ALL = sorted(commands(typer.main.get_command(app)))


def test_the_commands_are_found() -> None:
    assert {("init",), ("demo",), ("check",), ("issue", "send"), ("essay", "import")} <= set(ALL)


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_command_explains_itself_with_an_example(
    publication: Publication, command: tuple[str, ...]
) -> None:
    told = publication.run(*command, "--help").out
    assert f"Example: upcycle-news {' '.join(command)}" in " ".join(told.split())


def test_the_version_is_told(publication: Publication) -> None:
    assert publication.run("--version").out == f"upcycle-news {__version__}\n"


def test_the_command_line_starts_without_what_only_sending_needs() -> None:
    """Measured as modules, not as time: a slow machine is no failure, an import is."""
    program = (
        "import sys; sys.argv = ['upcycle-news', '--help']\n"
        "from upcycle_news.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = set(done.stdout.rpartition("\n\n")[2].split())
    heavy = {"sqlalchemy", "alembic", "pydantic", "prefect", "mjml", "aiosmtpd", "httpx", "jinja2"}
    assert "upcycle_news.cli.app" in loaded
    assert loaded & heavy == set()


def test_output_into_a_closed_pipe_is_no_traceback(publication: Publication) -> None:
    publication.crowd(2)
    exporting = publication.start("subscribers", "export")
    assert exporting.stdout is not None
    exporting.stdout.close()
    assert exporting.stderr is not None
    assert exporting.stderr.read() == ""
    assert exporting.wait(20) == 1


def test_the_console_script_is_installed(publication: Publication) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "upcycle-news"), "issue", "status"],
        cwd=publication.home, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "there is no issue yet" in done.stderr


def test_every_command_stands_on_a_shelf_of_the_help(publication: Publication) -> None:
    placed = [name for names in SHELVES.values() for name in names]
    assert sorted(placed) == sorted({path[0] for path in ALL})
    told = publication.run("--help").out
    assert all(f"{title}:" in told for title in SHELVES)
