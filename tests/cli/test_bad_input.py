"""Each mistake gets one clear sentence with place and cure, and loses nothing."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from upcycle_news.cli import output
from upcycle_news.demo.run import run_demo
from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import write_atomically

from ..publications import KLEINSTADT, Publication

CONSENT = ("--consent", "paper list, 3 May 2026")


def files(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("issue", "sned"),
        ("issue", "send", "--yess"),
        ("issue", "pause"),
        ("issue", "status", "--list", "lost"),
        ("issue", "resend", "2026-11-26", "--state", "sent"),
        ("subscribers", "import", "list.csv"),
        ("subscribers", "add", "anna@example.org", "--consent", " "),
        ("subscribers", "add", "anna@example.org", *CONSENT, "--language", "fr"),
        ("essay", "new", "Titel", "--date", "26.11.2026"),
        ("essay", "import", "text.txt", "--title", "Titel", "--language", "fr"),
    ],
)
def test_wrong_usage_exits_with_2_and_changes_nothing(
    publication: Publication, arguments: tuple[str, ...]
) -> None:
    (publication.home / "text.txt").write_text(KLEINSTADT)
    before = files(publication.home / "content")
    publication.run(*arguments, code=2)
    assert files(publication.home / "content") == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("subscribers", "suppress", "a@example.org", "b@example.org"), "mehr Angaben"),
        (("subscribers", "ada@example.org"), "der Name eines Befehls"),
        (("subscribers", "frei"), "Einen Befehl „frei“ gibt es nicht"),
        (("subscribers", "import", "list.csv", "--consent"), "Hinter --consent fehlt der Wert"),
        (("check", "--json=ja"), "--json steht allein"),
        (("store", "pack", "--days", "-1"), "Er muss mindestens 0 sein"),
        (("store", "pack", "--days", "viel"), "Er muss eine ganze Zahl sein"),
        (("web", "--port", "99999"), "Er muss höchstens 65535 sein"),
    ],
    ids=["extra", "address", "command", "no-value", "a-value", "too-low", "no-number", "port"],
)
def test_wrong_usage_is_told_in_german_and_repeats_no_address(
    publication: Publication, arguments: tuple[str, ...], words: str
) -> None:
    told = publication.run(*arguments, code=2).err
    assert words in told
    assert "@example.org" not in told


def test_wrong_usage_repeats_no_address_in_english(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_opened", ["en"])
    told = publication.run("subscribers", "ada@example.org", code=2).err
    assert "the name of a command stands in this place" in told
    assert "ada@" not in told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("issue", "preview", "26.11.2026"), "Schreiben Sie den Tag, etwa 2026-11-26"),
        (("issue", "preview", "2026-02-30"), "Schreiben Sie den Tag, etwa 2026-11-26"),
        (("issue", "status"), "Es gibt noch keine Ausgabe"),
        (("issue", "status", "2026-11-26"), "issue preview 2026-11-26"),
        (("issue", "status", "2026-11-26", "--list", "sent"), "issue preview 2026-11-26"),
        (("issue", "approve", "2026-11-26"), "Es gibt noch keine Ausgabe 2026-11-26"),
        (("issue", "resume", "2026-11-26"), "Es gibt nichts fortzusetzen"),
        (("issue", "send", "--test", "chefin"), "genau ein @"),
        (
            ("subscribers", "add", "anna@example.org\r\nBcc: b@example.org", *CONSENT),
            "kein Zeilenumbruch",
        ),
        (("subscribers", "add", "anna", *CONSENT), "genau ein @"),
        (("subscribers", "show", "anna@example.org"), "ist niemand eingetragen"),
        (
            ("subscribers", "import", "missing.csv", *CONSENT),
            "missing.csv: Die Datei lässt sich nicht",
        ),
        (
            ("essay", "import", "missing.txt", "--title", "Titel"),
            "missing.txt: Die Datei lässt sich nicht lesen",
        ),
        (("essay", "import", "text.txt"), "Nennen Sie ihn mit --title"),
    ],
)
def test_a_refused_command_exits_with_1_and_a_sentence(
    publication: Publication, arguments: tuple[str, ...], words: str
) -> None:
    (publication.home / "text.txt").write_text(KLEINSTADT)
    before = files(publication.home / "content")
    done = publication.run(*arguments, code=1)
    assert words in done.err
    assert done.out == ""
    assert files(publication.home / "content") == before


def test_nothing_new_exits_with_3_and_says_what_to_do(publication: Publication) -> None:
    for command in ("preview", "send"):
        assert "essay new TITEL" in publication.run("issue", command, code=3).err


def test_a_broken_essay_is_refused_with_file_and_line(publication: Publication) -> None:
    path = publication.home / "content/essays/2024-05-02-kaputt.md"
    path.write_text("---\ntitle: Kaputt\ndate: gestern\nstatus: ready\n---\n\nText.\n")
    where = "content/essays/2024-05-02-kaputt.md:3: "
    assert publication.run("issue", "preview", "--no-open", code=1).err.startswith(where)
    assert publication.run("issue", "send", "--yes", code=1).err.startswith(where)
    output = publication.run("check", code=1).out
    assert output.startswith(where)
    assert "2026-11-26" in output


def test_all_broken_essays_are_reported_at_once(publication: Publication) -> None:
    for name in ("eins", "zwei"):
        path = publication.home / f"content/essays/2024-05-02-{name}.md"
        path.write_text(f"---\ntitle: {name}\ndate: gestern\n---\n\nText.\n")
    output = publication.run("issue", "preview", code=1).err
    assert "eins.md:3: " in output
    assert "zwei.md:3: " in output


def test_a_broken_list_of_feeds_is_refused_with_its_line(publication: Publication) -> None:
    publication.write_essay()
    (publication.home / "content/feeds.toml").write_text('[[feeds]]\nname = "Bote"\nurll = "x"\n')
    for command in (("feeds", "collect"), ("issue", "preview"), ("feeds", "health")):
        assert publication.run(*command, code=1).err.startswith("content/feeds.toml:")


def test_a_broken_template_is_refused_with_its_place(publication: Publication) -> None:
    publication.write_essay()
    (publication.home / "templates/newsletter.mjml").write_text("<mjml>{{ nichts.da }}</mjml>")
    output = publication.run("issue", "preview", "--no-open", code=1).err
    assert output.startswith("templates/newsletter.mjml:1: ")


def test_a_mistake_in_the_settings_is_refused_by_every_command(publication: Publication) -> None:
    publication.change_setting("[sender]", "[sendr]")
    for command in (("issue", "status"), ("feeds", "health"), ("check",)):
        output = publication.run(*command, code=1).err
        assert output.startswith("newsletter.toml:")
        assert "Meinen Sie „sender“?" in output


def test_check_reports_nothing_for_a_correct_publication(publication: Publication) -> None:
    publication.write_essay()
    assert publication.run("check").out == "alles in Ordnung\n"
    assert publication.run("check", "--json").lines == []


def test_a_folder_without_a_publication_is_refused_with_advice(
    publication: Publication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    output = publication.run("issue", "status", code=1).err
    assert "upcycle-news init ORDNER" in output
    assert "UPCYCLE_NEWS_HOME" in output
    assert not (tmp_path / "var").exists()
    publication.run("feeds", "health", HOME=str(publication.home))


def test_a_file_that_is_no_store_is_reported_in_one_line(publication: Publication) -> None:
    path = publication.home / "var/upcycle.db"
    for file in path.parent.glob("upcycle.db*"):
        file.unlink()
    path.write_bytes(b"no store" * 1000)
    output = publication.run("issue", "status", code=1).err
    assert "spielen Sie ein Backup ein" in output
    assert len(output.splitlines()) == 1


def test_a_file_that_is_no_subscriber_list_is_refused(publication: Publication) -> None:
    (publication.home / "list.csv").write_text("Vorname,Nachname\nAnna,Muster\n")
    output = publication.run("subscribers", "import", "list.csv", *CONSENT, code=1).err
    assert output.startswith("list.csv:1: ")


def test_an_essay_that_exists_is_never_overwritten(publication: Publication) -> None:
    first = publication.run("essay", "new", "Was bleibt", "--date", "2024-05-02")
    assert first.out == "content/essays/2024-05-02-was-bleibt.md\n"
    (publication.home / first.out.strip()).write_text("meine Arbeit")
    again = publication.run("essay", "new", "Was bleibt", "--date", "2024-05-02", code=1)
    assert "gibt es schon" in again.err
    assert (publication.home / first.out.strip()).read_text() == "meine Arbeit"


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Limit the size of files that this process can write, like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_no_partial_file(tmp_path: Path) -> None:
    path = tmp_path / "issue.html"
    path.write_text("the old one")
    with room_for(1000), pytest.raises(UpcycleError, match="make room"):
        write_atomically(path, b"x" * 100_000)
    assert path.read_text() == "the old one"
    assert [file.name for file in tmp_path.iterdir()] == ["issue.html"]


def test_a_file_in_place_of_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    with pytest.raises(UpcycleError, match="cannot be written") as caught:
        write_atomically(tmp_path / "var" / "issue.html", b"x")
    assert "exists already" not in str(caught.value)


def test_a_full_disk_stops_an_issue_and_loses_no_delivery(publication: Publication) -> None:
    publication.write_essay()
    readers = publication.add_many_subscribers(3)
    publication.run("issue", "preview", "--no-open")
    publication.run("issue", "approve")
    with sqlite3.connect(publication.home / "var/upcycle.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for size in (1000, 20_000):
        with room_for(size):
            output = publication.run("issue", "send", code=1).err
        assert "Speicher" in output
        assert not (publication.home / "var/archive/feed.xml").exists()  # it shows no such issue
    done = publication.run("issue", "send", "--json").json
    assert (done["sent"], done["closed"]) == (3, True)
    assert publication.recipients() == readers


# --- init and demo


def test_a_new_publication_is_complete(tmp_path: Path, publication: Publication) -> None:
    home = tmp_path / "neu"
    publication.run("init", str(home), "--name", 'Die "Umbaupost" \\ Süd')
    existing = {str(path) for path in files(home)}
    assert {
        "newsletter.toml",
        ".gitignore",
        "prefect.yaml",
        "prefect.toml",
        "content/feeds.toml",
        "templates/newsletter.mjml",
        "templates/newsletter.txt",
        "flows/publish_issue.py",
        "flows/collect_feeds.py",
        "flows/deliver_pending.py",
    } <= existing
    assert not any("__pycache__" in path for path in existing)
    done = publication.run("issue", "preview", code=3, HOME=str(home))
    assert "1 noch Entwurf" in done.err


@pytest.mark.parametrize("name", ["zwei\nZeilen", "", '"""', "Tab\tda", "\\u0041"])
def test_any_name_makes_a_publication_that_works_or_is_refused(
    tmp_path: Path, publication: Publication, name: str
) -> None:
    home = tmp_path / "neu"
    if not name:
        publication.run("init", str(home), "--name", name, code=1)
        assert not home.exists()
        return
    publication.run("init", str(home), "--name", name)
    publication.run("feeds", "health", HOME=str(home))


def test_init_refuses_a_folder_that_is_not_empty(tmp_path: Path, publication: Publication) -> None:
    home = tmp_path / "alt"
    home.mkdir()
    (home / "brief.txt").write_text("wichtig")
    assert (
        "Das ist kein leerer Ordner; nennen Sie einen neuen"
        in publication.run("init", str(home), code=1).err
    )
    assert files(home) == {Path("brief.txt")}
    assert (
        "Das ist kein leerer Ordner; nennen Sie einen neuen"
        in publication.run("init", str(home / "brief.txt"), code=1).err
    )
    empty = tmp_path / "leer"
    empty.mkdir()
    publication.run("init", str(empty))


def test_every_file_that_the_wheel_includes_exists() -> None:
    import tomllib

    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    for path, packed in wheel["force-include"].items():
        assert (root / path).exists(), path
        assert packed == f"upcycle_news/_publication/{path}"


def test_the_demo_refuses_a_publication_with_a_relay(publication: Publication) -> None:
    path = publication.home / "newsletter.toml"
    path.write_text(path.read_text() + '\n[relays.main]\nhost = "smtp.example.org"\n')
    assert "refuses to run where a relay is configured" in publication.run("demo", code=1).err
    assert not (publication.home / "var/demo").exists()


def test_the_demo_refuses_a_relay_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPCYCLE_NEWS_RELAYS__MAIN__HOST", "smtp.example.org")
    with pytest.raises(UpcycleError, match="refuses to run where a relay is configured"):
        list(run_demo(tmp_path, show=lambda _: None))
    assert list(tmp_path.iterdir()) == []
    assert os.environ["UPCYCLE_NEWS_RELAYS__MAIN__HOST"] == "smtp.example.org"
