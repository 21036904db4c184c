"""Suppressions through the app."""

from __future__ import annotations

from pathlib import Path

import pytest

from upcycle_news.api import App
from upcycle_news.api.suppressions import SuppressionSource
from upcycle_news.errors import AddressError, ContentError, UpcycleError

from ..publications import Publication

ANNA = "anna@example.org"


@pytest.fixture
def app(publication: Publication) -> App:
    return App(publication.context())


def test_addresses_and_domains_are_suppressed_and_what_is_neither_is_reported(app: App) -> None:
    report = app.suppressions.add([ANNA, " @Boese.Example ", "kaputt", "Anna@example.org"])
    assert (report.suppressed, report.known) == (2, 0)
    assert [note.line for note in report.invalid] == [3]
    assert "kaputt" not in report.invalid[0].reason
    assert {row.key for row in app.suppressions.list()} == {ANNA, "@boese.example"}
    assert {row.source for row in app.suppressions.list()} == {SuppressionSource.COMMAND}
    again = app.suppressions.add(ANNA, reason="complaint")
    assert (again.suppressed, again.known) == (0, 1)
    assert {row.reason for row in app.suppressions.list()} == {"by hand"}


def test_a_list_of_another_system_is_read_whole_or_not_at_all(app: App, tmp_path: Path) -> None:
    file = tmp_path / "suppressed.csv"
    file.write_text(f"email,why\n{ANNA},x\nkaputt,y\n@weg.example,z\n", encoding="utf-8")
    report = app.suppressions.import_file(file, reason="  left \n there " + "x" * 40)
    assert report.as_dict() == {
        "suppressed": 2,
        "known": 0,
        "invalid": [report.invalid[0].as_dict()],
    }
    assert report.invalid[0].line == 3
    rows = list(app.suppressions.list())
    assert {row.source for row in rows} == {SuppressionSource.LIST}
    assert {row.reason for row in rows} == {"left there " + "x" * 21}
    two = "E-Mail;E-Mail-Adresse\nbert@example.org;\na@example.org;b@example.org\n"
    file.write_text(two, encoding="utf-8")
    with pytest.raises(ContentError, match="two different addresses"):
        app.suppressions.import_file(file)
    with pytest.raises(ContentError, match="cannot be read"):
        app.suppressions.import_file(tmp_path / "missing.csv")
    assert len(list(app.suppressions.list())) == 2


def test_one_bad_row_of_a_list_suppresses_the_others(app: App, tmp_path: Path) -> None:
    file = tmp_path / "suppressed.csv"
    file.write_text(
        'email,why\nbert@example.org,x\n"broken,x\ncem@example.org,y\n', encoding="utf-8"
    )
    report = app.suppressions.import_file(file)
    assert (report.suppressed, [note.line for note in report.invalid]) == (2, [3])


def test_the_list_is_taken_over_by_another_publication(app: App, tmp_path: Path) -> None:
    app.suppressions.add([ANNA, "@weg.example"], reason="complaint")
    app.subscribers.add("bert@example.org", consent="x")
    app.subscribers.forget("bert@example.org")
    text = "".join(app.suppressions.csv())
    assert text.splitlines()[0] == "key,reason,detail,at,source,issue"
    assert "bert" not in text
    keys = {row.key for row in app.suppressions.list()}
    file = tmp_path / "all.csv"
    file.write_text(text, encoding="utf-8")
    for key in keys:
        app.suppressions.remove(key)
    assert list(app.suppressions.list()) == []
    assert app.suppressions.import_file(file).suppressed == 3
    assert {row.key for row in app.suppressions.list()} == keys


def test_removing_what_is_not_suppressed_or_no_target_is_an_error(app: App) -> None:
    with pytest.raises(UpcycleError, match="no such suppression"):
        app.suppressions.remove(ANNA)
    with pytest.raises(AddressError):
        app.suppressions.remove("kaputt")


def test_removing_an_address_removes_the_hash_of_its_erasure(app: App) -> None:
    app.subscribers.add(ANNA, consent="x")
    app.subscribers.forget(ANNA)
    app.suppressions.remove(ANNA)
    assert list(app.suppressions.list()) == []


def test_the_command_prints_what_the_app_lists(publication: Publication, app: App) -> None:
    app.suppressions.add(ANNA, reason="complaint")
    (row,) = publication.run("subscribers", "suppressions", "--json").lines
    (suppression,) = app.suppressions.list()
    assert row == suppression.as_dict()
    assert publication.run("subscribers", "suppressions").out == "".join(app.suppressions.csv())
    result = publication.run("subscribers", "suppress", "kaputt", "--json", code=1)
    assert result.json["suppressed"] == 0
    publication.run("subscribers", "suppress", code=2)
