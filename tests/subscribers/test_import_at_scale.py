"""Lists as they come in practice, and one with a hundred thousand rows."""

from __future__ import annotations

import csv
import io
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

import pytest
from sqlalchemy import event

from upcycle_news.errors import UpcycleError
from upcycle_news.models import EmailAddress
from upcycle_news.services.subscribers.lists import export_list, import_list
from upcycle_news.storage import personal_data, subscribers, suppressions
from upcycle_news.subscribers.list_columns import parse_column_mapping
from upcycle_news.subscribers.suppression_keys import read_suppressions

from ..publications import Publication, add_confirmed_subscribers
from .lists import read

# As spreadsheets save: Latin-1, semicolons, quoted newlines, and pasted garbage.
NASTY = (
    "E-Mail-Adresse;Name;Sprache;Themen\r\n"
    '"ANNA@Example.ORG";"Müller,\r\nAnna";DE;Bestand,Handwerk\r\n'
    "anna@example.org;Noch einmal;;\r\n"
    'info@müller.example;"=HYPERLINK(""https://evil.example"")";de;\r\n'
    '"bert@example.org\r\nBcc: opfer@example.org";Bert;;\r\n'
    "nicht-da;;;\r\n"
    ";;;\r\n"
    "cem@example.org;Cem;tlh;\r\n"
    "left@example.org;Weg;;\r\n"
    "stop@example.org;Nie;;\r\n"
    "x@boese.example;Domain;;\r\n"
    "gone@example.org;Vergessen;;\r\n"
    "dora@example.org;Döra;en;\r\n"
)


def test_a_malformed_list_is_reported_line_by_line(publication: Publication) -> None:
    context = publication.context()
    add_confirmed_subscribers(context, "left@example.org", "gone@example.org")
    person = subscribers.find(context.store, EmailAddress.parse("left@example.org"))
    assert person is not None
    subscribers.unsubscribe(context.store, person, now=context.clock())
    assert personal_data.erase_subscriber(
        context.store, EmailAddress.parse("gone@example.org"), now=context.clock()
    )
    suppressions.suppress_all(
        context.store, ["stop@example.org", "@boese.example"],
        reason="by hand", detail="", now=context.clock(),
    )  # fmt: skip
    (publication.home / "liste.csv").write_bytes(NASTY.encode("latin-1"))
    report = publication.run(
        "subscribers", "import", "liste.csv", "--consent", "Papierliste, 3. Mai 2026", "--json"
    ).json
    assert (report["added"], report["updated"], report["unchanged"]) == (4, 0, 0)
    assert {row["line"]: row["reason"].partition(":")[0] for row in report["skipped"]} == {
        4: "dieselbe Adresse steht weiter oben in der Liste",
        11: "hat sich abgemeldet",
        12: "ist gesperrt",
        13: "ist gesperrt",
        14: "wurde vergessen",
    }
    assert [row["line"] for row in report["invalid"]] == [6, 8]
    assert [row["line"] for row in report["notes"]] == [10]
    assert "Windows-1252" in report["guessed"]
    assert "opfer" not in str(report)
    anna = subscribers.find(context.store, EmailAddress.parse("anna@example.org"))
    assert anna is not None
    assert (anna.name, anna.topics) == ("Müller, Anna", ("Bestand", "Handwerk"))
    assert (
        subscribers.find(context.store, EmailAddress.parse("info@xn--mller-kva.example"))
        is not None
    )
    again = publication.run(
        "subscribers", "import", "liste.csv", "--consent", "Papierliste, 3. Mai 2026", "--json"
    ).json
    assert (again["added"], again["unchanged"]) == (0, 4)


def test_another_systems_columns_are_mapped(publication: Publication) -> None:
    (publication.home / "theirs.csv").write_text(
        "\ufeffKontakt,Vorname\nanna@example.org,Anna\n", encoding="utf-8"
    )
    command = ("subscribers", "import", "theirs.csv", "--consent", "x, 2026", "--json")
    publication.run(*command, code=1)
    report = publication.run(*command, "--column", "Kontakt=email", "--column", "Vorname=name").json
    assert report["added"] == 1
    with pytest.raises(UpcycleError, match="maps nothing"):
        parse_column_mapping(["Kontakt=adresse"])


def test_an_exported_list_has_no_formulas_and_is_imported_unchanged(
    publication: Publication,
) -> None:
    context = publication.context()
    (publication.home / "liste.csv").write_bytes(NASTY.encode("latin-1"))
    publication.run("subscribers", "import", "liste.csv", "--consent", "x, 2026")
    text = export_list(context)
    for row in csv.reader(io.StringIO(text)):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    before = list(subscribers.all_subscribers(context.store))
    again = read(text.encode())
    assert [(p.email, p.name, p.topics) for p in again.subscribers] == [
        (p.email, p.name, p.topics) for p in before
    ]


def test_suppressions_of_another_system_are_taken_over(publication: Publication) -> None:
    foreign_list = b"email;reason\nANNA@example.org;spam\n@Boese.example;\nquatsch;\n"
    keys, invalid = read_suppressions(foreign_list, where="x")
    assert keys == ["anna@example.org", "@boese.example"]
    assert [line for line, _ in invalid] == [4]
    assert read_suppressions(b"anna@example.org\nbert@example.org\n", where="x")[0] == [
        "anna@example.org",
        "bert@example.org",
    ]
    (publication.home / "stop.csv").write_bytes(foreign_list)
    report = publication.run(
        "subscribers", "suppress", "--file", "stop.csv", "--reason", "bounced", "--json"
    ).json
    assert (report["suppressed"], report["known"], len(report["invalid"])) == (2, 0, 1)
    listed = publication.run("subscribers", "suppressions").out
    assert "'@boese.example,bounced" in listed
    (publication.home / "again.csv").write_text(listed, encoding="utf-8")
    report = publication.run("subscribers", "suppress", "--file", "again.csv", "--json").json
    assert (report["suppressed"], report["known"]) == (0, 2)


@pytest.mark.parametrize("target", ["@Bücher.example", "ANNA@Bücher.example", "#" + "0a" * 32])
def test_a_suppression_is_undone_by_the_same_argument(
    publication: Publication, target: str
) -> None:
    assert "1 gesperrt" in publication.run("subscribers", "suppress", target).out
    assert "Nicht mehr gesperrt" in publication.run("subscribers", "unsuppress", target).out


def test_a_guessed_encoding_of_suppressions_is_said(publication: Publication) -> None:
    (publication.home / "stop.csv").write_bytes(
        "E-Mail;Ort\nweg@example.org;Köln\n".encode("cp1252")
    )
    done = publication.run("subscribers", "suppress", "--file", "stop.csv")
    assert done.out == "1 gesperrt, 0 schon bekannt, 0 nicht lesbar\n"
    assert "stop.csv: Die Datei ist kein UTF-8; sie wurde als Windows-1252 gelesen" in done.err


def test_an_erased_subscriber_leaves_only_a_keyed_hash(publication: Publication) -> None:
    context = publication.context()
    add_confirmed_subscribers(context, "anna@example.org")
    publication.run("subscribers", "forget", "anna@example.org", "--yes")
    publication.run("subscribers", "forget", "anna@example.org", "--yes", code=1)
    context.store.close()
    for path in (publication.home / "var").rglob("upcycle.db*"):
        assert b"anna" not in path.read_bytes().lower()
    [stop] = suppressions.all_suppressions(context.store)
    assert (stop.key[0], len(stop.key), stop.reason) == ("#", 65, "forgotten")


def calls_in(work: Callable[[], object]) -> int:
    """Return how many functions of Python are called."""
    calls = 0

    def count(_frame: FrameType, what: str, _argument: object) -> None:
        nonlocal calls
        calls += what == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def test_a_row_more_costs_few_calls(publication: Publication) -> None:
    context = publication.context()

    def import_rows(first: int, count: int) -> None:
        rows = "".join(
            f"reader{n}@example{n % 50}.org,Leserin {n},de,Bestand\n"
            for n in range(first, first + count)
        )
        file = publication.home / "liste.csv"
        file.write_text(f"email,name,language,topics\n{rows}", encoding="utf-8")
        assert import_list(context, file, consent="x, 2026").added == count

    import_rows(0, 500)  # statements are compiled
    export_list(context)
    few = calls_in(lambda: import_rows(1_000, 1_000)), calls_in(lambda: export_list(context))
    many = calls_in(lambda: import_rows(10_000, 3_000)), calls_in(lambda: export_list(context))
    of_row = (many[0] - few[0]) / 2_000, (many[1] - few[1]) / 3_000
    assert of_row[0] < 55
    assert of_row[1] < 10


@pytest.mark.slow
def test_a_hundred_thousand_rows_are_stored_in_batches(publication: Publication) -> None:
    rows = [f"reader{n}@example{n % 50}.org,Leserin {n},de,Bestand" for n in range(100_000)]
    data = ("email,name,language,topics\n" + "\n".join(rows) + "\n").encode()
    context = publication.context()
    statements: list[str] = []
    event.listen(
        context.store._engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: statements.append(statement),
    )
    parsed = read(data)
    report = subscribers.add_subscribers(
        context.store, parsed.subscribers, source="x, 2026", now=context.clock(), dry_run=False
    )
    assert (report.added, len(parsed.invalid)) == (100_000, 0)
    assert len(statements) < 100_000 / 80  # five for 500 rows

    tracemalloc.start()
    read(data[: len(data) // 10])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 60_000_000
