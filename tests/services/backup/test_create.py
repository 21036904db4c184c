"""A backup is one file with the store and the keys, written completely or not at all."""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import stat
import tarfile
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from upcycle_news.errors import StoreError, UpcycleError
from upcycle_news.services.backup import archive_file, create
from upcycle_news.storage import subscribers
from upcycle_news.storage.schema import HEAD

from ...delivery.memory_ledger import Clock
from ...publications import Publication, add_confirmed_subscribers


def archive_contents(path: Path) -> dict[str, bytes]:
    contents = {}
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            contents[member.name] = file.read()
    return contents


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def backed_up(publication: Publication) -> Path:
    publication.add_many_subscribers(3)
    return Path(publication.run("backup", "--json").json["file"])


def test_a_backup_is_one_private_file_with_the_store_and_the_keys(
    publication: Publication,
) -> None:
    publication.write_essay()
    publication.add_many_subscribers(3)
    publication.run("issue", "send", "--yes")
    report = publication.run("backup", "--json").json
    path = Path(report["file"])
    assert path.parent == publication.home / "var/backups"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert files(path.parent) == {path.name}
    contents = archive_contents(path)
    manifest = json.loads(contents.pop("manifest.json"))
    assert set(contents) == {"store.db", "secrets/person.key", "secrets/token-1.key"}
    for name, data in contents.items():
        if name.startswith("secrets/"):
            assert data == (publication.home / "var" / name).read_bytes()
    assert manifest["tables"]["deliveries"] == report["tables"]["deliveries"] == 3
    assert manifest["publication"] == "Umbaupost"
    # Common tools open it, without our own code.
    (path.parent / "store.db").write_bytes(contents["store.db"])
    with sqlite3.connect(path.parent / "store.db") as connection:
        assert connection.execute("SELECT count(*) FROM subscribers").fetchone() == (3,)


def test_a_backup_is_consistent_while_others_write(publication: Publication) -> None:
    """Each transaction writes two subscribers: a copy with an odd number is inconsistent."""
    context = publication.context()
    publication.add_many_subscribers(2)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 2
            add_confirmed_subscribers(
                context, *(f"x{number + offset}@example.org" for offset in range(2))
            )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = [
            create.make_backup(context, Path(f"{number}.tar.gz")).tables["subscribers"]
            for number in range(8)
        ]
    finally:
        stop.set()
        writer.join()
    assert all(count % 2 == 0 for count in counts)
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_a_backup_contains_nothing_of_an_erased_subscriber(publication: Publication) -> None:
    publication.add_many_subscribers(2)
    publication.run("subscribers", "forget", "reader1@example.org", "--yes")
    store = archive_contents(backed_up_now(publication))["store.db"]
    assert b"reader1@example.org" not in store
    assert b"reader2@example.org" in store


def backed_up_now(publication: Publication) -> Path:
    return Path(publication.run("backup", "--json").json["file"])


def test_old_backups_are_deleted_and_other_files_are_not(
    publication: Publication, clock: Clock
) -> None:
    publication.add_many_subscribers(1)
    folder = publication.home / "copies"
    context = publication.context(BACKUP__FOLDER="copies", BACKUP__KEEP="2")
    backups = []
    for _ in range(4):
        clock.now += timedelta(days=1)
        backups.append(create.make_backup(context))
        (folder / "notes.tar.gz").write_text("kept")
    assert files(folder) == {"notes.tar.gz", backups[2].file.name, backups[3].file.name}
    assert backups[3].pruned == (backups[1].file.name,)
    clock.now += timedelta(days=1)
    elsewhere = publication.home / "elsewhere"
    create.make_backup(context, elsewhere)
    clock.now += timedelta(days=1)
    create.make_backup(context, elsewhere, keep=1)
    assert len(files(elsewhere)) == 1


def test_a_clock_that_was_set_back_does_not_delete_the_new_backup(
    publication: Publication, clock: Clock
) -> None:
    publication.add_many_subscribers(1)
    context = publication.context()
    first = create.make_backup(context, keep=1)
    clock.now -= timedelta(days=30)
    backup = create.make_backup(context, keep=1)
    assert files(backup.file.parent) == {backup.file.name}
    assert backup.pruned == (first.file.name,)


def test_a_new_store_does_not_push_out_the_backups_of_the_one_that_was_lost(
    publication: Publication, clock: Clock
) -> None:
    publication.add_many_subscribers(3)
    elsewhere = publication.home / "elsewhere"
    good = create.make_backup(publication.context(), elsewhere, keep=1)
    shutil.rmtree(publication.home / "var")
    publication.run("subscribers", "stats")  # a store is made anew, with keys of its own
    for _ in range(3):
        clock.now += timedelta(days=1)
        backup = create.make_backup(publication.context(), elsewhere, keep=1)
    assert good.file.name in files(elsewhere)
    assert backup.spared == (good.file.name,)
    assert "1 old one kept" in backup.result().message
    assert len(files(elsewhere)) == 2, "the backups of the new store are rotated as before"


@pytest.mark.parametrize("name", ["50%20", "a#1", "Umbau Post"])
def test_the_folder_of_a_backup_can_have_any_name(publication: Publication, name: str) -> None:
    publication.add_many_subscribers(1)
    backup = create.make_backup(publication.context(), Path(name).absolute())
    assert publication.run("restore", "--check", str(backup.file)).out.endswith(
        "das Backup ist vollständig.\n"
    )


def test_a_backup_goes_to_a_file_of_any_name_but_never_overwrites_it(
    publication: Publication,
) -> None:
    publication.add_many_subscribers(1)
    publication.run("backup", "--to", "heute.tar.gz")
    before = Path("heute.tar.gz").read_bytes()
    error = publication.run("backup", "--to", "heute.tar.gz", code=1).err
    assert "Die Datei gibt es schon; sie blieb, wie sie ist" in error
    assert Path("heute.tar.gz").read_bytes() == before
    assert (
        "Das ist eine Datei; --keep gilt für einen Ordner mit Backups"
        in publication.run("backup", "--to", "x.tgz", "--keep", "3", code=1).err
    )


def test_an_unwritable_folder_is_one_sentence(publication: Publication) -> None:
    publication.add_many_subscribers(1)
    Path("datei").write_text("no folder")
    error = publication.run("backup", "--to", "datei/hier", code=1).err
    assert "Die Datei lässt sich nicht schreiben" in error
    assert "ein halbes Backup blieb nicht zurück" in error


def test_a_full_disk_leaves_no_partial_backup_and_keeps_the_old_ones(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = backed_up(publication)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive_file.os, "fsync", full)
    context = publication.context()
    with pytest.raises(UpcycleError, match=r"no room on the disk.*no partial backup was left"):
        create.make_backup(context, keep=1)
    assert files(backup.parent) == {backup.name}


def test_a_damaged_store_does_not_replace_good_backups(publication: Publication) -> None:
    publication.add_many_subscribers(3)
    backup = create.make_backup(publication.context()).file  # not of the same second as the next
    publication.__exit__()
    path = publication.home / "var/upcycle.db"
    data = bytearray(path.read_bytes())
    data[8192:40960] = b"\xff" * (40960 - 8192)
    path.write_bytes(data)
    error = publication.run("backup", "--keep", "1", code=1).err
    assert "Er ist kein Speicher von uns oder beschädigt; spielen Sie ein Backup ein" in error
    assert files(backup.parent) == {backup.name}


def test_the_draft_of_a_killed_run_is_deleted_after_a_day(
    publication: Publication, clock: Clock
) -> None:
    """It holds a whole store: subscribers who were erased since must not stay in it for ever."""
    folder = backed_up(publication).parent
    drafts = [folder / ".upcycle-draft-old", folder / ".upcycle-draft-new"]
    for path, hours in zip(drafts, (30, 1), strict=True):
        path.mkdir()
        (path / "store.db").write_text("people")
        at = (clock.now - timedelta(hours=hours)).timestamp()
        os.utime(path, (at, at))
    create.make_backup(publication.context())
    assert [path.exists() for path in drafts] == [False, True]


def test_without_a_store_a_backup_is_refused(publication: Publication) -> None:
    (publication.home / "var/upcycle.db").unlink()
    assert "Es gibt noch keinen; nichts zu tun" in publication.run("backup", code=1).err
    assert not (publication.home / "var/upcycle.db").exists()


# --- invalid archives


def repacked(path: Path, target: Path, change: Any) -> Path:
    """Write the archive again with `change` applied to its list of (member, bytes)."""
    members = []
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            members.append((member, file.read()))
    with tarfile.open(target, "w:gz") as archive:
        for member, data in change(members):
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return target


def outside(members: list[Any]) -> list[Any]:
    return [*members, (tarfile.TarInfo("../../../outside.key"), b"x")]


def absolute(members: list[Any]) -> list[Any]:
    return [members[0], (tarfile.TarInfo("/tmp/outside.key"), b"x"), *members[1:]]


def link(members: list[Any]) -> list[Any]:
    member = tarfile.TarInfo("store.db")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/hostname"
    return [members[0], (member, b""), *members[2:]]


def named_by_the_manifest(members: list[Any]) -> list[Any]:
    manifest = json.loads(members[0][1])
    manifest["files"]["secrets/../../x.key"] = {"bytes": 1, "sha256": "0" * 64}
    return [(members[0][0], json.dumps(manifest).encode()), *members[1:]]


def other_bytes(members: list[Any]) -> list[Any]:
    return [*members[:-1], (members[-1][0], bytes(len(members[-1][1])))]


def without_the_last(members: list[Any]) -> list[Any]:
    return members[:-1]


def twice(members: list[Any]) -> list[Any]:
    return [*members, members[-1]]


def no_manifest(members: list[Any]) -> list[Any]:
    return members[1:]


CHANGES = (
    outside, absolute, link, named_by_the_manifest, other_bytes, without_the_last, twice,
    no_manifest,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_manipulated_archive_is_refused_and_writes_nothing(
    publication: Publication, tmp_path: Path, change: Any
) -> None:
    bad = repacked(backed_up(publication), tmp_path / "bad.tar.gz", change)
    assert_refused_and_unchanged(publication, bad)
    assert not list(tmp_path.rglob("outside.key"))
    assert not Path("/tmp/outside.key").exists()


@pytest.mark.parametrize("part", [0.0, 0.3, 0.999])
def test_a_truncated_archive_is_refused(
    publication: Publication, tmp_path: Path, part: float
) -> None:
    whole = backed_up(publication).read_bytes()
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(whole[: int(len(whole) * part)])
    assert_refused_and_unchanged(publication, bad)


def test_any_other_file_is_refused(publication: Publication, tmp_path: Path) -> None:
    backed_up(publication)
    bad = tmp_path / "bad.tar.gz"
    bad.write_bytes(b"Sehr geehrte Damen und Herren, " * 100)
    assert_refused_and_unchanged(publication, bad)
    shutil.make_archive(str(tmp_path / "other"), "gztar", publication.home / "content")
    assert_refused_and_unchanged(publication, tmp_path / "other.tar.gz")
    assert (
        "Die Datei lässt sich nicht lesen"
        in publication.run("restore", "nirgends.tar.gz", code=1).err
    )


def assert_refused_and_unchanged(publication: Publication, bad: Path) -> None:
    state = publication.home / "var"
    before = sorted(str(path) for path in state.rglob("*") if "-wal" not in path.name)
    for option in ("--check", "--yes"):
        error = publication.run("restore", str(bad), option, code=1).err
        assert error.count("\n") == 1
        assert str(bad) in error
        assert "Nehmen Sie ein anderes" in error
    after = sorted(str(path) for path in state.rglob("*") if "-wal" not in path.name)
    assert [path for path in after if "-shm" not in path] == [
        path for path in before if "-shm" not in path
    ]
    assert len(list(subscribers.all_subscribers(publication.context().store))) == 3


def test_a_backup_can_be_checked_with_json_output(publication: Publication) -> None:
    path = backed_up(publication)
    said = publication.run("restore", "--check", str(path)).out
    assert f"1 Geheimnis, Migration {HEAD}; das Backup ist vollständig" in said
    assert (
        publication.run("restore", "--check", str(path), "--json").json["tables"]
        == (json.loads(archive_contents(path)["manifest.json"])["tables"])
    )


def test_a_backup_with_a_foreign_database_is_refused(tmp_path: Path) -> None:
    from upcycle_news.storage.backup import snapshot

    path = tmp_path / "store.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE x (y)")
    with pytest.raises(StoreError, match="is not a store of ours"):
        snapshot.read_contents(path)


def test_of_two_backups_in_one_second_the_first_stays(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.add_many_subscribers(3)
    context = publication.context()
    unpack = archive_file.unpack

    def other_is_faster(draft: Path, to: Path | None) -> Any:
        (draft.parents[1] / create._NAME.format(context.clock())).write_bytes(b"the first")
        return unpack(draft, to)

    monkeypatch.setattr(archive_file, "unpack", other_is_faster)
    with pytest.raises(UpcycleError, match="exists already"):
        create.make_backup(context)
    (kept,) = (publication.home / "var/backups").glob("*.gz")
    assert kept.read_bytes() == b"the first"
