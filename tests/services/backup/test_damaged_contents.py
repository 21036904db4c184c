"""A store in which something cannot be read: each command says so, and a whole backup outlives it."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select

from upcycle_news.api import App
from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress, IssueId
from upcycle_news.services.backup import create, restore
from upcycle_news.storage import feeds, packed_deliveries, subscribers
from upcycle_news.storage.database import DamagedValueError
from upcycle_news.storage.revisions import load_rendering
from upcycle_news.storage.schema import blobs, renderings, revisions

from ...delivery.memory_ledger import Clock
from ...publications import Publication, send_issue
from ...storage.damage import WAYS, damage, damage_block

ISSUE = "2026-11-26"
NAMED = (
    f"Ausgabe {ISSUE}: 4 Zustellungen, gepackt in 1 Block, an Personen mit den Nummern 0 bis 511"
)


def packed(publication: Publication, clock: Clock, store: str = "") -> AppContext:
    """Send an issue and pack it; returns its context."""
    publication.write_essay()
    context = publication.context(**({"STORE": store} if store else {}))
    new = [
        subscribers.NewSubscriber(EmailAddress(f"reader{number}@example.org"))
        for number in range(5)
    ]
    subscribers.add_subscribers(
        context.store, new, source="list", now=context.clock(), dry_run=False
    )
    send_issue(context)
    clock.now += timedelta(seconds=1)
    assert App(context).store.pack(closed_for=0).deliveries == 4
    return context


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def url(any_store: str) -> str:
    """The address of an empty store, once in SQLite and once in Postgres."""
    return any_store


def test_a_backup_of_a_damaged_store_says_so_and_deletes_none(
    publication: Publication, clock: Clock, url: str
) -> None:
    context = packed(publication, clock, url)
    folder = publication.home / "copies"
    whole = create.make_backup(context, folder, keep=1)
    assert (whole.damaged, whole.result().kind) == ((), "completed")
    row = damage_block(context.store)
    for _ in range(2):
        clock.now += timedelta(days=1)
        backup = create.make_backup(context, folder, keep=1)
        assert backup.pruned == ()
        assert backup.damaged[0].in_language("de").startswith(NAMED)
        result = backup.result("de")
        assert (result.kind, result.name) == ("failed", "Damaged")
        assert result.message.startswith(NAMED)
    assert whole.file.name in names(folder)
    assert len(names(folder)) == 3
    damage(context.store, packed_deliveries.packed_deliveries, "data", lambda _: row.data)
    clock.now += timedelta(days=1)
    assert len(create.make_backup(context, folder, keep=1).pruned) == 3


def test_every_command_names_the_issue_and_how_many_readers(
    publication: Publication, clock: Clock, url: str
) -> None:
    context = packed(publication, clock, url)
    whole = str(create.make_backup(context, Path("whole.tar.gz")).file)
    damage_block(context.store)
    publication.__exit__()
    said = publication.run("backup", "--to", "damaged.tar.gz", code=1, STORE=url)
    assert NAMED in said.err
    assert "Solange wird kein altes gelöscht" in said.err
    damaged = publication.run("backup", "--to", "also.tar.gz", "--json", code=1, STORE=url)
    assert [ISSUE in one for one in damaged.json["damaged"]] == [True]
    said = publication.run("restore", "--check", "damaged.tar.gz", code=1, STORE=url)
    assert NAMED in said.err
    assert "Nehmen Sie ein anderes" in said.err
    assert "vollständig." not in said.out
    assert "ist vollständig" in publication.run("restore", "--check", whole, STORE=url).out
    report = publication.run("doctor", "store-contents", "--offline", "--json", code=1, STORE=url)
    assert "in 1 block, to subscribers with the ids 0 to 511" in report.out


def test_the_doctor_says_how_many_blocks_it_looked_at(
    publication: Publication, clock: Clock
) -> None:
    packed(publication, clock)
    said = publication.run("doctor", "store-contents", "--offline").out
    assert "Gepackte Zustellungen (Blöcke: 1) und die neuesten Fassungen sind lesbar" in " ".join(
        said.split()
    )


@pytest.mark.parametrize("change", WAYS, ids=lambda change: change.__name__)
def test_no_damage_of_a_block_ends_in_a_traceback(
    publication: Publication, clock: Clock, change: object
) -> None:
    context = packed(publication, clock)
    damage_block(context.store, change)  # type: ignore[arg-type]
    publication.__exit__()
    for command in (("backup",), ("doctor", "store-contents", "--offline")):
        assert ISSUE in publication.run(*command, code=1).output


def test_a_damaged_backup_is_restored_only_when_that_is_said(
    publication: Publication, clock: Clock
) -> None:
    context = packed(publication, clock)
    damage_block(context.store)
    backup = create.make_backup(context, Path("damaged.tar.gz")).file
    publication.__exit__()
    said = publication.run("restore", str(backup), "--yes", code=1).err
    assert NAMED in said
    assert "es wurde nichts geändert" in said
    assert not (publication.home / "var/backups").exists(), "nothing was kept aside"
    said = publication.run("restore", str(backup), "--yes", "--damaged").err
    assert NAMED in said


def test_a_whole_backup_mends_the_store(publication: Publication, clock: Clock) -> None:
    """Also of an issue with deliveries in doubt, of which the replaced store is asked."""
    context = packed(publication, clock)
    with context.store.writing() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'unknown'")
        connection.exec_driver_sql("UPDATE issues SET sent = sent - 1, unknown = 1")
    backup = create.make_backup(context, Path("whole.tar.gz"))
    assert backup.damaged == ()
    damage_block(context.store)
    publication.__exit__()
    publication.run("restore", str(backup.file), "--yes")
    assert create.make_backup(publication.context()).damaged == ()


def test_an_issue_begun_since_the_backup_keeps_its_sums_and_its_damage(
    publication: Publication, clock: Clock
) -> None:
    publication.add_many_subscribers(5)
    backup = create.make_backup(publication.context(), Path("before.tar.gz")).file
    clock.now += timedelta(minutes=1)
    publication.write_essay()
    context = publication.context()
    send_issue(context)
    clock.now += timedelta(seconds=1)
    App(context).store.pack(closed_for=0)
    damage_block(context.store)
    report = restore.restore(context, backup)
    assert report.taken_over.issues == 1
    with publication.context().store.snapshot() as connection:
        numbers = packed_deliveries.counts_by_state(connection, ISSUE)
    assert numbers == {"sent": 4}


def test_a_damaged_revision_is_named_by_a_backup(publication: Publication, clock: Clock) -> None:
    context = packed(publication, clock)
    damage(context.store, revisions, "manifest", lambda text: text.replace("Bahnhof", "Bahnsteig"))
    assert f"Ausgabe {IssueId.parse(ISSUE)}: Der Inhalt der Fassung" in (
        create.make_backup(context).damaged[0].in_language("de")
    )


# --- values that are read later

CUT_OFF = (
    ("subscribers", "topics", ("subscribers", "stats")),
    ("subscribers", "groups", ("subscribers", "show", "reader1@example.org")),
    ("revisions", "manifest", ("issue", "show", ISSUE)),
)


@pytest.mark.parametrize(
    ("table", "column", "command"), CUT_OFF, ids=[f"{one[0]}-{one[1]}" for one in CUT_OFF]
)
def test_a_value_that_was_cut_off_is_named_and_what_needs_it_ends_in_a_sentence(
    publication: Publication, clock: Clock, table: str, column: str, command: tuple[str, ...]
) -> None:
    context = packed(publication, clock)
    with context.store.writing() as connection:
        cut = f"UPDATE {table} SET {column} = substr({column}, 1, length({column}) - 1)"
        assert connection.exec_driver_sql(cut).rowcount
    publication.__exit__()
    assert "Im Speicher ist ein Wert beschädigt" in publication.run(*command, code=1).err
    said = publication.run("backup", code=1).err
    assert (f"Tabelle {table}: " in said) != (f"Ausgabe {ISSUE}: Der Inhalt der Fassung" in said)


def test_of_a_rendering_no_damaged_picture_or_list_of_pictures_goes_out(
    publication: Publication, clock: Clock
) -> None:
    store = packed(publication, clock).store
    name = sha256(b"a picture").hexdigest()
    pictures = [{"cid": "1", "content_type": "image/png", "sha256": name}]
    with store.writing() as connection:
        connection.execute(blobs.insert().values(sha256=name, data=b"a picture"))
        connection.execute(renderings.update().values(images=pictures))
        [revision] = connection.scalars(select(revisions.c.revision_id))
    issue = IssueId.parse(ISSUE)
    rendering = load_rendering(store, issue, revision)
    assert rendering is not None
    assert [image.data for image in rendering.images] == [b"a picture"]
    for table, values in ((blobs, {"data": b"A picture"}), (renderings, {"images": [{}]})):
        with store.writing() as connection:
            connection.execute(table.update().values(values))
        with pytest.raises(DamagedValueError, match="doctor store-contents"):
            load_rendering(store, issue, revision)


def test_reports_and_bodies_of_feeds_that_are_damaged_are_made_anew(
    publication: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    store = publication.context().store
    now = publication.clock()
    for asked in (3, 4):
        feeds.save_report(store, {"asked": asked, "failed": [], "waiting": []}, now=now)
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE feed_reports SET report = '{\"asked\": 3' WHERE id = 2")
        connection.exec_driver_sql("INSERT INTO feed_bodies VALUES ('https://f.test', '[\"a', '')")
    assert feeds.last_report(store) == {}
    assert [one.asked for one in feeds.collection_counts(store, 9)] == [3]
    assert feeds.last_body(store, "https://f.test") == ()
    feeds.record(store, feeds.FeedState("https://f.test", "F"), [], now=now)
    assert create.make_backup(publication.context()).damaged == ()
