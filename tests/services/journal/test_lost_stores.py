"""A store that is empty, lost, another one or older: nothing is sent, rotated or removed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from upcycle_news.api import App
from upcycle_news.errors import StoreError, StoreMismatchError
from upcycle_news.models import IssueId
from upcycle_news.services.archive.build import build_archive
from upcycle_news.services.backup import create, migrate_store, restore
from upcycle_news.services.delivery import worker_identity
from upcycle_news.services.journal.consistency import find_contradiction
from upcycle_news.services.runs.pending import pending_issues
from upcycle_news.storage.database import open_store

from ...delivery.memory_ledger import Clock
from ...publications import Publication, create_publication, issue_status, send_issue
from ...services.archive.test_build import tree
from ...transports.bad_relays import MisbehavingRelay
from .machine import Machine

STORE = "upcycle.db"


@pytest.fixture
def relay() -> Iterator[MisbehavingRelay]:
    with MisbehavingRelay() as started:
        yield started


@pytest.fixture
def machine(publication: Publication, relay: MisbehavingRelay) -> Machine:
    """A publication that has sent an issue over a relay, with the store of before beside it."""
    publication.write_essay()
    publication.add_many_subscribers(3)
    started = Machine(publication, relay)
    started.run("subscribers", "stats")
    started.close()
    shutil.copy(publication.home / "var" / STORE, publication.home.parent / "before.db")
    started.run("issue", "send", "--yes", "--no-collect")
    started.run("backup", "--to", "b")
    return started


def _remove(state: Path) -> None:
    for path in state.glob(f"{STORE}*"):
        path.unlink()


def empty(machine: Machine) -> None:
    _remove(machine.state)
    (machine.state / STORE).touch()


def delete(machine: Machine) -> None:
    _remove(machine.state)


def replace_by_another_publications(machine: Machine) -> None:
    other = create_publication(machine.publication.home.parent / "other")
    with Publication(other, machine.publication.clock) as opened:
        opened.add_subscribers("fremd@example.org")
    _remove(machine.state)
    shutil.copy(other / "var" / STORE, machine.state / STORE)


def copy_an_older_one_back(machine: Machine) -> None:
    _remove(machine.state)
    shutil.copy(machine.publication.home.parent / "before.db", machine.state / STORE)


def start_a_new_one_of_the_same_publication(machine: Machine) -> None:
    _remove(machine.state)
    open_store(f"sqlite:///{machine.state / STORE}").close()


def exchange_the_keys(machine: Machine) -> None:
    key = machine.state / "secrets/person.key"
    key.write_text("ab" * 32 + "\n")


WAYS = (
    empty,
    delete,
    replace_by_another_publications,
    copy_an_older_one_back,
    start_a_new_one_of_the_same_publication,
    exchange_the_keys,
)


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def lost(machine: Machine, request: pytest.FixtureRequest) -> Machine:
    lose: Callable[[Machine], None] = request.param
    machine.close()
    lose(machine)
    return machine


def test_nothing_is_sent_rotated_or_removed_and_every_command_says_so(lost: Machine) -> None:
    archive, backups = tree(lost.state / "archive"), tree(lost.publication.home / "b")
    (lost.publication.home / "list.csv").write_text("email\nneu@example.org\n")
    for command in (
        ("archive", "build"),
        ("backup", "--to", "b", "--keep", "1"),
        ("backup",),
        ("issue", "send", "--yes", "--no-collect"),
        ("doctor", "store", "--offline"),
        ("archive", "build", "--out", "elsewhere"),
        ("check",),
        ("issue", "status"),
        ("subscribers", "stats"),
        ("subscribers", "import", "list.csv", "--consent", "Liste"),
        ("subscribers", "import", "list.csv", "--ask"),
        ("subscribers", "add", "neu@example.org", "--consent", "Liste"),
    ):
        assert "store confirm" in lost.run(*command, code=1).output
    assert tree(lost.state / "archive") == archive
    assert tree(lost.publication.home / "b") == backups
    assert len(lost.recipients) == 3


def test_a_page_that_a_visitor_asks_for_in_vain_removes_none(lost: Machine) -> None:
    """The web pages build what they do not find."""
    archive = tree(lost.state / "archive")
    context = lost.context()
    with pytest.raises(StoreMismatchError):
        App(context).archive.build()
    assert tree(lost.state / "archive") == archive


def test_store_confirm_goes_on_with_the_store_as_it_is_and_nobody_gets_the_issue_again(
    lost: Machine,
) -> None:
    pages = set(tree(lost.state / "archive"))
    lost.run("store", "confirm", "--yes")
    for command in (("archive", "build"), ("backup",), ("doctor", "store", "--offline")):
        lost.run(*command)
    assert lost.send(code=3).err
    assert len(lost.recipients) == 3
    issue_pages = {
        path for path in pages if path.startswith(("archive/20", "essays/was", "feed.xml"))
    }
    assert issue_pages
    assert issue_pages <= set(tree(lost.state / "archive"))


@pytest.mark.parametrize("lose", WAYS[:4], ids=lambda way: way.__name__)
def test_a_restore_goes_on_where_the_backup_was(
    machine: Machine, lose: Callable[[Machine], None]
) -> None:
    lost = machine
    lost.close()
    lose(lost)
    [backup] = (lost.publication.home / "b").glob("*.tar.gz")
    lost.run("restore", str(backup), "--yes")
    lost.run("store", "confirm", "--yes")
    lost.run("archive", "build")
    lost.run("backup", "--to", "c", "--keep", "1")
    lost.run("doctor", "store", "--offline")
    lost.send(code=3)
    assert len(lost.recipients) == 3


def test_a_postgres_database_that_was_dropped_and_made_again_is_a_lost_store(
    publication: Publication, relay: MisbehavingRelay, empty_postgres: str
) -> None:
    import psycopg

    publication.write_essay()
    machine = Machine(publication, relay, STORE=empty_postgres)
    machine.run("subscribers", "add", "anna@example.org", "--consent", "a list")
    machine.run("issue", "send", "--yes", "--no-collect")
    machine.close()
    server = empty_postgres.replace("+psycopg", "").replace("/trial?", "/postgres?")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP DATABASE trial WITH (FORCE)")
        connection.execute("CREATE DATABASE trial")
    archive = tree(machine.state / "archive")
    for command in (("archive", "build"), ("backup",), ("doctor", "store", "--offline")):
        machine.run(*command, code=1)
    machine.run("subscribers", "add", "anna@example.org", "--consent", "a list", code=1)
    machine.send(code=1)
    assert tree(machine.state / "archive") == archive
    machine.run("store", "confirm", "--yes")
    machine.run("subscribers", "add", "anna@example.org", "--consent", "a list")
    machine.send(code=3)
    assert machine.recipients == ["anna@example.org"]


def test_the_archive_alone_tells_where_mails_only_went_to_the_mailbox(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(2)
    publication.run("issue", "send", "--yes", "--no-collect")
    publication.__exit__()
    (publication.home / "var" / STORE).write_bytes(b"")
    for path in (publication.home / "var").glob(f"{STORE}-*"):
        path.unlink()
    archive = tree(publication.home / "var/archive")
    refused = publication.run("archive", "build", code=1)
    assert "Das Archiv zeigt Ausgabe" in refused.err
    publication.run("backup", code=1)
    publication.run("doctor", "store", "--offline", code=1)
    assert tree(publication.home / "var/archive") == archive


def test_an_archive_of_another_folder_is_not_emptied_either(machine: Machine) -> None:
    machine.run("archive", "build", "--out", "site")
    site = tree(machine.publication.home / "site")
    machine.close()
    empty(machine)
    shutil.rmtree(machine.state / "archive")
    (machine.state / "journal").unlink()
    refused = machine.run("archive", "build", "--out", "site", code=1)
    assert "site/archive" in refused.err
    assert tree(machine.publication.home / "site") == site


# --- what stays as it is

CHECKS = (("archive", "build"), ("backup",), ("doctor", "store", "--offline"))


def test_a_new_publication_and_one_whose_web_pages_ran_first_are_well(
    publication: Publication,
) -> None:
    with App(publication.context()) as app:
        app.check_ready()
        app.archive.build()
    for command in CHECKS:
        publication.run(*command)


def test_keys_alone_beside_a_new_store_are_normal(publication: Publication) -> None:
    publication.run("subscribers", "stats")
    publication.__exit__()
    _remove(publication.home / "var")
    publication.run("doctor", "store", "--offline")
    publication.run("archive", "build")
    publication.run("backup")
    publication.run("doctor", "store", "--offline")


def test_a_store_in_which_nothing_is_yet_takes_whatever_keys_there_are(
    publication: Publication,
) -> None:
    publication.run("subscribers", "stats")
    shutil.rmtree(publication.home / "var/secrets")
    for command in CHECKS:
        publication.run(*command)
    publication.run("subscribers", "add", "anna@example.org", "--consent", "a list")
    publication.run("subscribers", "stats")


def test_a_folder_that_is_really_new_is_well(tmp_path: Path, clock: Clock) -> None:
    from upcycle_news.scaffold.layout import init_publication

    init_publication(tmp_path / "neu", name="Neu", today=clock.now.date())
    with Publication(tmp_path / "neu", clock) as fresh:
        context = fresh.context()
        assert find_contradiction(context, None) is None
        assert find_contradiction(context, context.store) is None
        build_archive(context)


def test_a_store_that_was_moved_is_well_in_its_new_place(machine: Machine, clock: Clock) -> None:
    target = f"sqlite:///{machine.publication.home}/moved.db"
    machine.run("store", "copy", "--to", target)
    machine.variables["STORE"] = target
    for command in CHECKS:
        machine.run(*command)
    machine.publication.write_essay("Ein zweiter Bahnhof")
    assert machine.send().json["sent"] == 3
    assert '"event": "moved", "about": "sqlite"' in (machine.state / "journal").read_text()
    del machine.variables["STORE"]
    assert "Dieser Speicher zog am" in machine.send(code=1).err


def test_a_new_store_that_was_looked_at_can_still_be_moved_to(machine: Machine) -> None:
    target = f"sqlite:///{machine.publication.home}/moved.db"
    machine.publication.run("subscribers", "stats", code=1, STORE=target)
    machine.run("store", "copy", "--to", target)
    machine.variables["STORE"] = target
    machine.run("store", "info")
    machine.send(code=3)


def test_a_restore_of_an_older_backup_is_told_by_the_journal_what_went_out_since(
    publication: Publication, relay: MisbehavingRelay, clock: Clock
) -> None:
    """The store is lost, and the backup is older than the last issue: its page stays, nobody is mailed."""
    machine = Machine(publication, relay)
    publication.write_essay()
    publication.add_many_subscribers(3)
    path = create.make_backup(machine.context()).file
    clock.now += timedelta(hours=1)
    send_issue(machine.context())
    machine.close()
    empty(machine)
    machine.run("restore", str(path), "--yes")
    context = machine.context()
    build_archive(context)
    assert pending_issues(context) == []
    assert (machine.state / "archive/archive/2026-11-26/index.html").is_file()
    report = restore.confirm_restore(context, by="Anna")
    assert report.sent == ("2026-11-26",)
    build_archive(context)
    assert (machine.state / "archive/archive/2026-11-26/index.html").is_file()
    assert (machine.state / "archive/essays/was-vom-bahnhof-bleibt/index.html").is_file()
    machine.send(code=3)
    status = issue_status(context, IssueId.parse("2026-11-26"))
    assert (status.audience, len(machine.recipients)) == (0, 3)
    numbers = [row.number for row in _issues(context)]
    assert numbers == [1]
    lines = (machine.state / "journal").read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert events == ["queued", "closed", "restored", "confirmed"]


def _issues(context):
    from upcycle_news.storage import issues

    return issues.all_issues(context.store)


def test_two_machines_on_one_store_do_not_take_each_others_journal_for_a_lost_store(
    publication: Publication, relay: MisbehavingRelay, clock: Clock
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    store = f"sqlite:///{publication.home}/var/{STORE}"
    first = Machine(publication, relay, STORE=store)
    first.context().store.close()
    shutil.copytree(publication.home / "var/secrets", publication.home / "var2/secrets")
    second = Machine(publication, relay, STORE=store, STATE=str(publication.home / "var2"))
    send_issue(first.context(), "2026-11-24")
    publication.write_essay("Ein zweiter Bahnhof")
    send_issue(second.context(), "2026-11-25")
    publication.write_essay("Ein dritter Bahnhof")
    send_issue(first.context(), "2026-11-26")
    assert find_contradiction(second.context(), second.context().store) is None
    journals = [(publication.home / folder / "journal").read_text() for folder in ("var", "var2")]
    assert [journal.count('"queued"') for journal in journals] == [2, 1]
    assert len(relay.recipients) == 9


def test_machines_with_other_keys_do_not_share_a_store(
    publication: Publication, relay: MisbehavingRelay
) -> None:
    store = f"sqlite:///{publication.home}/var/{STORE}"
    first = Machine(publication, relay, STORE=store)
    first.run("subscribers", "add", "anna@example.org", "--consent", "a list")
    (publication.home / "var2/secrets").mkdir(parents=True)
    (publication.home / "var2/secrets/person.key").write_text("cd" * 32)
    second = Machine(publication, relay, STORE=store, STATE=str(publication.home / "var2"))
    assert "anderen Schlüsseln" in second.run("subscribers", "stats", code=1).err


def test_a_journal_of_another_publication_is_refused(machine: Machine) -> None:
    other = machine.publication.home.parent / "shared"
    text = (machine.state / "journal").read_text()
    keys = text.rpartition('"keys": "')[2].partition('"')[0]
    other.write_text(text.replace(keys, "0" * 32).replace("T", "T", 1))
    machine.variables["JOURNAL__SECOND"] = str(other)
    assert "gehört zu anderen Schlüsseln" in machine.send(code=1).err


def test_nothing_is_settled_while_a_worker_sends(machine: Machine) -> None:
    machine.close()
    copy_an_older_one_back(machine)
    context = machine.context()
    worker_identity.register(context)
    with pytest.raises(StoreError, match="worker is sending"):
        restore.confirm_restore(context, by="Anna")
    assert find_contradiction(context, context.store) is not None


def test_nothing_is_moved_from_a_store_that_does_not_know_what_went_out(machine: Machine) -> None:
    machine.close()
    copy_an_older_one_back(machine)
    with pytest.raises(StoreMismatchError):
        migrate_store.move_store(machine.context(), f"sqlite:///{machine.state}/other.db")
