"""What the commands print in a German publication is German, apart from quotations, names and words of the store."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ..processes import free_port
from ..publications import Publication, relay_variables, today
from ..transports.bad_relays import MisbehavingRelay, always

ISSUE = today()
STOP_WORDS = re.compile(
    r"\b(the|is|and|not|no|has|are|with|of|for|it|its|nothing|there|cannot|been|which|from|to|this|that)\b",
    re.IGNORECASE,
)
QUOTED = re.compile(
    r"(?:warning|error) [a-z-]+ |„[^„“]*“|\"[^\"]*\"|https?://\S+|\S*/\S+|--?[a-z][\w-]*|\w+\.(?:toml|yaml)\S*"
)


def english_in(text: str) -> list[str]:
    """Return the lines that hold English stop words outside of quotations, paths, addresses and options."""
    found = []
    for line in text.splitlines():
        own = line
        while (shorter := QUOTED.sub(" ", own)) != own:  # quotations within quotations
            own = shorter
        if STOP_WORDS.search(own):
            found.append(line)
    return found


def check(publication: Publication, *arguments: str, code: int = 0, **settings: object) -> None:
    done = publication.run(*arguments, code=code, **settings)  # type: ignore[arg-type]
    # Typer's frame around an error of usage is translated by the program's own main.
    lines = [
        line
        for line in (done.out + done.err).splitlines()
        if not line.startswith(("Usage", "Try "))
    ]
    said = "\n".join(line.removeprefix("Error: Invalid value: ") for line in lines)
    assert english_in(said) == [], f"{arguments}: {said}"


def test_the_search_finds_english_and_leaves_quotations_alone() -> None:
    assert english_in("the store is damaged\nDer Speicher ist da") == ["the store is damaged"]
    assert english_in("Das Relay sagt: „550 the user is not here“ (var/to/it)") == []


EMPTY = [
    (("store", "info"), 0), (("store", "confirm"), 0), (("store", "upgrade"), 0), (("secrets", "list"), 0),
    (("alarms", "list"), 0), (("alarms", "apply", "deploy/automations.yaml"), 1), (("drain",), 0),
    (("bounces", "collect"), 1), (("bounces", "list"), 0), (("bounces", "show", "7"), 1),
    (("issue", "status"), 1), (("issue", "send", "--yes"), 3), (("issue", "plan"), 0),
    (("issue", "resume", "2026-11-26"), 1), (("issue", "pause", "2026-11-26"), 1),
    (("issue", "cancel", "2026-11-26", "--yes"), 1), (("issue", "approve", "2026-11-26"), 1),
    (("issue", "status", "26.11.2026"), 1), (("essay", "list"), 0), (("check",), 0),
    (("doctor", "--offline"), 0), (("backup",), 0), (("restore", "nix.tar.gz"), 1),
    (("restore", "newsletter.toml", "--check"), 1), (("store", "copy", "--to", "nonsense"), 1),
    (("secrets", "drop", "9", "--yes"), 1), (("dkim", "keygen", "--kind", "x"), 2), (("doctor", "x"), 2),
    (("flow", "x"), 2), (("archive", "build"), 0), (("archive", "correct", "x", "--note", "y"), 1),
    (("archive", "withdraw", "x", "--yes"), 1), (("subscribers", "suppress"), 2),
    (("subscribers", "unsuppress"), 2), (("issue", "status", "--list", "x"), 2),
    (("issue", "diff"), 1), (("issue", "explain"), 0), (("essay", "import", "nix.docx"), 1),
    (("subscribers", "import", "nix.csv", "--consent", "x"), 1), (("subscribers", "show", "a@example.org"), 1),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code"), EMPTY)
def test_a_new_publication_speaks_german(
    publication: Publication, arguments: tuple[str, ...], code: int
) -> None:
    check(publication, *arguments, code=code)


def test_an_issue_that_its_relay_stops_is_told_in_german(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    with MisbehavingRelay(mail=always("550 5.7.1 the relay is not for you")) as relay:
        settings = relay_variables(relay.controller.port)
        check(publication, "issue", "send", "--yes", code=1, **settings)
        check(publication, "issue", "status", **settings)
        check(publication, "issue", "status", "--history", **settings)
        check(publication, "issue", "status", "--list", "queued", **settings)
        check(publication, "issue", "resume", ISSUE, code=1, **settings)
    check(publication, "issue", "pause", ISSUE)
    check(publication, "issue", "status")
    check(publication, "issue", "diff", ISSUE)
    check(publication, "issue", "reject", ISSUE, code=1)
    check(publication, "secrets", "rotate")


def test_an_unreachable_relay_is_told_in_german(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    settings = relay_variables(free_port())
    check(publication, "issue", "send", "--yes", code=1, **settings)
    check(publication, "issue", "status", **settings)
    check(publication, "doctor", "relay", code=1, **settings)


def test_a_restore_is_told_in_german(publication: Publication) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    publication.run("issue", "send", "--yes")
    check(publication, "backup")
    [file] = sorted(Path(publication.home / "var/backups").glob("*.tar.gz"))
    check(publication, "restore", str(file), "--check")
    check(publication, "restore", str(file), code=1)
    check(publication, "restore", str(file), "--yes")
    check(publication, "issue", "resume", ISSUE, code=1)
    check(publication, "store", "info")
    check(publication, "doctor", "store", code=1)
    check(publication, "store", "confirm", code=1)
    check(publication, "store", "confirm", "--yes")
    check(publication, "archive", "build")
