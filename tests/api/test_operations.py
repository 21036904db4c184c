"""`app.backups`, `app.store`, `app.keys`, `app.alerts`, `app.monitoring` and `app.doctor`."""

from __future__ import annotations

from pathlib import Path

import pytest

from upcycle_news.api import App
from upcycle_news.api.doctor import report_unreadable, unknown_checks
from upcycle_news.errors import SendHoldError, SettingsError, UpcycleError
from upcycle_news.storage import alerts

from ..publications import Publication


@pytest.fixture
def app(publication: Publication) -> App:
    return App(publication.context())


def test_a_backup_is_listed_inspected_and_restored_behind_a_hold(
    publication: Publication, app: App
) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    backup = app.backups.create(publication.home / "copies")
    assert app.backups.list(publication.home / "copies") == [backup.file]
    assert app.backups.inspect(backup.file).tables["subscribers"] == 1
    assert app.backups.current_store().subscribers == 1
    report = app.backups.restore(backup.file, merge=False)
    assert (report.merged, report.unsent_essays) == (False, ("was-vom-bahnhof-bleibt",))
    assert app.store.pending_confirmation().send_hold is not None
    assert app.store.confirm(by="anna") == 1
    assert app.store.pending_confirmation().send_hold is None


def test_a_restore_that_merged_leaves_no_essay_in_doubt(publication: Publication, app: App) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    backup = app.backups.create()
    assert app.backups.restore(backup.file).unsent_essays == ()


def test_a_damaged_backup_is_refused_and_nothing_changes(
    publication: Publication, app: App
) -> None:
    publication.add_subscribers("anna@example.org")
    damaged = publication.home / "damaged.tar.gz"
    damaged.write_bytes(b"nothing of the kind")
    with pytest.raises(UpcycleError, match="damaged"):
        app.backups.inspect(damaged)
    with pytest.raises(UpcycleError):
        app.backups.restore(damaged)
    assert app.backups.current_store().subscribers == 1


def test_the_store_is_described_upgraded_and_copied(publication: Publication, app: App) -> None:
    publication.add_subscribers("anna@example.org")
    info = app.store.info()
    assert info.facts.version == info.facts.newest
    done = app.store.upgrade()
    assert (done.before, done.backup) == (done.after, None)
    rows = app.store.count_rows()
    moved = app.store.copy(f"sqlite:///{publication.home / 'elsewhere.db'}")
    assert moved.rows == rows
    assert app.store.pending_confirmation().send_hold is not None
    with pytest.raises(SendHoldError):
        app.store.copy(f"sqlite:///{publication.home / 'third.db'}")


def test_a_key_that_signs_or_is_not_there_is_not_dropped(app: App) -> None:
    [key] = app.keys.list()
    assert (key.number, key.signs) == (1, True)
    for number in (1, 7):
        with pytest.raises(UpcycleError, match=f"token key {number}"):
            app.keys.drop(number)
    assert app.keys.rotate() == 2
    app.keys.raise_unless_droppable(1)
    app.keys.drop(1)
    assert [(key.number, key.signs) for key in app.keys.list()] == [(2, True)]


def test_no_key_is_dropped_while_an_issue_is_being_sent(publication: Publication, app: App) -> None:
    publication.write_essay()
    publication.add_subscribers("anna@example.org")
    app.keys.rotate()
    app.issues.send(approve=True, by="anna", collect=False)
    app.keys.raise_unless_droppable(1)
    publication.write_essay("Zweiter Anlauf")
    issue = app.issues.compose(collect=False).issue
    app.issues.approve(issue, by="anna")
    app.runs.enqueue(str(issue), app.issues.compose(issue, collect=False).revision_id, run="1")
    with pytest.raises(UpcycleError, match=f"issue {issue} is being sent"):
        app.keys.drop(1)
    assert len(app.keys.list()) == 2


def test_a_dkim_key_is_written_once_and_names_its_record(
    publication: Publication, app: App, tmp_path: Path
) -> None:
    key = app.keys.generate_dkim("news", file=tmp_path / "news.pem")
    assert key.name == "news._domainkey.umbaupost.example.net"
    assert key.record.startswith("v=DKIM1")
    assert "PRIVATE KEY" in key.file.read_text()
    assert key.file.stat().st_mode & 0o777 == 0o600
    before = key.file.read_bytes()
    with pytest.raises(UpcycleError, match="exists"):
        app.keys.generate_dkim("news", file=key.file)
    assert key.file.read_bytes() == before


def test_open_alerts_are_listed_oldest_first(publication: Publication, app: App) -> None:
    context = publication.context()
    alerts.alert_once(context.store, "upcycle-news.feed.dead", "Bauwende", now=app.now)
    alerts.alert_once(context.store, "upcycle-news.relay.slow", "main", now=app.now)
    alerts.clear_alert(context.store, "upcycle-news.feed.dead", "Bauwende")
    [alert] = app.alerts.list()
    assert (alert.event, alert.subject, alert.at) == ("upcycle-news.relay.slow", "main", app.now)
    listed = publication.run("alarms", "list", "--json").json
    assert (listed["event"], listed["subject"]) == ("upcycle-news.relay.slow", "main")


def test_automations_need_a_known_server(
    publication: Publication, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with pytest.raises(UpcycleError, match="PREFECT_API_URL"):
        list(app.alerts.apply(publication.home / "deploy/automations.yaml"))


def test_figures_hold_no_address_and_draining_an_idle_machine_asks_nobody(
    publication: Publication, app: App
) -> None:
    publication.add_subscribers("anna@example.org")
    text = app.monitoring.metrics()
    assert b"upcycle_news_" in text
    assert b"@" not in text
    assert app.monitoring.drain(0).asked == 0


def test_the_doctor_knows_its_checks_and_where_settings_came_from(app: App) -> None:
    unknown, known = unknown_checks(["dns", "colour"])
    assert unknown == ("colour",)
    assert "store" in known
    report = app.doctor.run(["store-version"], offline=True)
    assert {result.check for _, results in report.groups for result in results} == {"store-version"}
    assert {origin.key: origin.kind for origin in app.doctor.settings()}["publication.name"] == (
        "newsletter.toml"
    )
    unreadable = report_unreadable(SettingsError("newsletter.toml", 3, "is not TOML"))
    assert len(unreadable.problems) == 1
