from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from upcycle_news import __version__
from upcycle_news.cli.app import Commands, commands
from upcycle_news.cli.lazy import LazyCommand

from ..publications import Publication


def all_commands(
    group: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], LazyCommand]]:
    """All commands with their paths, groups left out."""
    for name, command in group.commands.items():
        if isinstance(command, LazyCommand):
            yield (*path, name), command
        else:
            yield from all_commands(command, (*path, name))


COMMANDS = dict(all_commands(typer.main.get_command(commands)))
ALL = sorted(COMMANDS)


def test_the_commands_are_found() -> None:
    assert {("init",), ("demo",), ("check",), ("issue", "send"), ("essay", "import")} <= set(ALL)


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_command_has_a_help_with_an_example(
    publication: Publication, command: tuple[str, ...]
) -> None:
    output = publication.run(*command, "--help").out
    assert f"Example: upcycle-news {' '.join(command)}" in " ".join(output.split())


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_the_listed_sentence_is_the_first_line_of_the_commands_docstring(
    command: tuple[str, ...],
) -> None:
    listed = COMMANDS[command]
    assert listed.load().help.splitlines()[0] == listed.help


def test_listing_the_commands_imports_none_of_them() -> None:
    loaded = modules_after("--help") | modules_after("issue", "--help")
    assert "upcycle_news.cli.app" in loaded
    assert (
        loaded & {f"upcycle_news.cli.{name}" for name in ("init", "doctor", "issue.send")} == set()
    )


def test_the_version_is_printed(publication: Publication) -> None:
    assert publication.run("--version").out == f"upcycle-news {__version__}\n"


def modules_after(*arguments: str) -> set[str]:
    """The modules that the command line has imported when it ends."""
    program = (
        f"import sys; sys.argv = ['upcycle-news', *{list(arguments)}]\n"
        "from upcycle_news.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('|', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("|")[2].split())


def test_the_command_line_starts_without_what_only_sending_needs() -> None:
    """Measured as modules, not as time: a slow machine is no failure, an import is."""
    loaded = modules_after("--help")
    heavy = {"sqlalchemy", "alembic", "pydantic", "prefect", "mjml", "aiosmtpd", "httpx", "jinja2"}
    assert "upcycle_news.cli.app" in loaded
    assert loaded & heavy == set()


def test_output_into_a_closed_pipe_is_no_traceback(publication: Publication) -> None:
    publication.add_many_subscribers(2)
    exporting = publication.start("subscribers", "export")
    assert exporting.stdout is not None
    exporting.stdout.close()
    assert exporting.stderr is not None
    assert exporting.stderr.read() == ""
    assert exporting.wait(60) == 1


def test_the_console_script_is_installed(publication: Publication) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "upcycle-news"), "issue", "status"],
        cwd=publication.home, capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "Es gibt noch keine Ausgabe" in done.stderr


def test_the_help_shows_every_section_with_its_commands(publication: Publication) -> None:
    output = publication.run("--help").out
    for title, section in Commands.sections.items():
        _, _, below = output.partition(f"{title}:\n")
        for command, line in zip(section, below.splitlines(), strict=False):
            assert line.split()[0] == command.name
