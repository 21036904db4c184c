"""Subscribers through the app: the list, joining, preferences, leaving."""

from __future__ import annotations

import stat
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest

from upcycle_news.api import App
from upcycle_news.api.subscribers import AddResult, LineNote
from upcycle_news.errors import AddressError, ContentError, UpcycleError, UsageError
from upcycle_news.models import ConfirmationResult, SubscriberStatus, UnsubscribeMethod

from ..delivery.memory_ledger import Clock
from ..publications import Publication, parse_mail

ANNA = "anna@example.org"
CONSENT = "letter of 3 May 2026"


@pytest.fixture
def app(publication: Publication) -> App:
    return App(publication.context(AUDIENCE__TOPICS='["Bestand", "Kleinstadt"]'))


# --- the list


def test_adding_says_what_changed(app: App) -> None:
    assert app.subscribers.add(ANNA, consent=CONSENT, topics=["Bestand"]) is AddResult.ADDED
    assert app.subscribers.add(ANNA, consent=CONSENT) is AddResult.UNCHANGED
    assert (
        app.subscribers.add("ANNA@example.org", consent=CONSENT, name="Anna") is AddResult.UPDATED
    )
    subscriber = app.subscribers.find(ANNA)
    assert subscriber is not None
    assert (subscriber.name, subscriber.topics, subscriber.language) == ("Anna", ("Bestand",), "de")
    [consent] = app.subscribers.show(ANNA).consents
    assert (consent.source, consent.given_at) == (CONSENT, app.now)


@pytest.mark.parametrize("consent", ["", " \n\t"])
def test_nobody_is_added_without_a_consent(app: App, tmp_path: Path, consent: str) -> None:
    (tmp_path / "list.csv").write_text(f"email\n{ANNA}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="the consent is empty"):
        app.subscribers.add(ANNA, consent=consent)
    with pytest.raises(UsageError, match="the consent is empty"):
        app.subscribers.import_csv(tmp_path / "list.csv", consent=consent)
    assert list(app.subscribers.all()) == []


def test_an_unknown_language_and_a_text_that_is_no_address_are_refused(app: App) -> None:
    with pytest.raises(UsageError, match="one of de, en"):
        app.subscribers.add(ANNA, consent=CONSENT, language="fr")
    with pytest.raises(AddressError) as caught:
        app.subscribers.add("anna-geheim", consent=CONSENT)
    assert "geheim" not in str(caught.value)


def test_the_suppressed_and_the_unsubscribed_are_not_added(app: App) -> None:
    app.suppressions.add(ANNA)
    with pytest.raises(UpcycleError, match="not added: suppressed"):
        app.subscribers.add(ANNA, consent=CONSENT)
    app.subscribers.add("weg@example.org", consent=CONSENT)
    assert app.subscribers.unsubscribe("weg@example.org")
    assert not app.subscribers.unsubscribe("weg@example.org")
    with pytest.raises(UpcycleError, match="not added: has unsubscribed"):
        app.subscribers.add("weg@example.org", consent=CONSENT)


def test_an_import_reports_every_line_in_order_and_can_only_report(
    app: App, tmp_path: Path
) -> None:
    app.suppressions.add("zu@example.org")
    file = tmp_path / "list.csv"
    file.write_text(
        "Mail;Themen;status;Kunde\n"
        f"{ANNA};Bestand;enabled;1\n"
        "zu@example.org;;active;2\n"
        "kaputt;;active;3\n"
        "bert@example.org;;active;4\n"
        "egon@example.org;;blocked;5\n",
        encoding="utf-8",
    )
    bars: list[tuple[str, int]] = []

    def progress(what: str, total: int) -> object:
        bars.append((what, total))
        return nullcontext(lambda _: None)

    def run(*, dry_run: bool) -> object:
        return app.subscribers.import_csv(
            file, consent=CONSENT, columns=["Mail=email"], take=[" Enabled "], dry_run=dry_run,
            progress=progress,  # type: ignore[arg-type]
        )  # fmt: skip

    would = run(dry_run=True)
    assert list(app.subscribers.all()) == []
    report = app.subscribers.import_csv(
        file, consent=CONSENT, columns={"Mail": "email"}, take=["enabled"]
    )
    assert report == would
    assert (report.added, report.updated, report.unchanged) == (2, 0, 0)
    assert [note.line for note in report.skipped] == [3, 6]
    assert [note.line for note in report.invalid] == [4]
    assert report.unread == ("Kunde",)
    assert report.has_unknown_status
    assert report.as_dict()["skipped"][0] == report.skipped[0].as_dict() == {
        "line": 3, "reason": "ist gesperrt: An diese Adresse wird nicht geschrieben."
    }  # fmt: skip
    assert bars == [("adding", 7)]


def test_a_list_that_cannot_be_read_says_which(app: App, tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="check the path"):
        app.subscribers.import_csv(tmp_path / "missing.csv", consent=CONSENT)
    with pytest.raises(ContentError, match="cannot be read"):
        app.subscribers.unsubscribe_by_links(tmp_path / "missing.txt")


def test_exported_lists_are_readable_for_their_owner_only(app: App, tmp_path: Path) -> None:
    app.subscribers.add(ANNA, consent=CONSENT)
    for number, export in enumerate([app.subscribers.export_csv, app.subscribers.links_csv]):
        file = tmp_path / f"{number}.csv"
        assert export(file).encode() == file.read_bytes()
        assert ANNA in export()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_what_is_stored_is_shown_and_erased(app: App) -> None:
    app.subscribers.add(ANNA, consent=CONSENT)
    app.suppressions.add("@example.org", reason="moved away")
    record = app.subscribers.show(ANNA)
    assert record.suppression is not None
    assert record.suppression.key == "@example.org"
    assert record.as_dict()["suppression"]["by"] == "domain"
    app.subscribers.forget(ANNA)
    assert app.subscribers.find(ANNA) is None
    for verb in (app.subscribers.show, app.subscribers.forget, app.subscribers.unsubscribe):
        with pytest.raises(UpcycleError, match="no subscriber has this address"):
            verb(ANNA)  # type: ignore[operator]


def test_statistics_count_by_status_topic_and_reason(app: App) -> None:
    app.subscribers.add(ANNA, consent=CONSENT, topics=["Bestand"])
    app.suppressions.add("zu@example.org", reason="complaint")
    statistics = app.subscribers.statistics()
    assert statistics.counts.by_status == {"pending": 0, "confirmed": 1, "unsubscribed": 0}
    assert statistics.counts.by_topic == {"Bestand": 1}
    assert statistics.as_dict()["suppressions"] == {"complaint": 1}


# --- joining, preferences, leaving


def joined(app: App, address: str = ANNA) -> str:
    """Sign up and confirm; return the preferences token."""
    signup = app.subscribers.sign_up(address, language="de")
    assert signup is not None
    assert app.subscribers.send_confirmation(signup)
    token = confirmation_token(app)
    assert app.subscribers.read_confirmation(token).result is ConfirmationResult.NOW
    confirmation = app.subscribers.confirm(token)
    assert confirmation.result is ConfirmationResult.NOW
    return confirmation.preferences_token


def confirmation_token(app: App) -> str:
    """Return the token in the newest confirmation mail of the embedded mailbox."""
    files = sorted((app.settings.state / "mailbox/new").iterdir())
    body = parse_mail(files[-1].read_bytes().split(b"\r\n", 2)[2]).get_body(("plain",))
    assert body is not None
    return next(
        line.rpartition("/")[2].strip()
        for line in body.get_content().splitlines()
        if "/confirm/" in line
    )


def test_a_sign_up_is_confirmed_by_its_link_and_names_its_page(app: App) -> None:
    joined(app)
    subscriber = app.subscribers.find(ANNA)
    assert subscriber is not None
    assert subscriber.status is SubscriberStatus.CONFIRMED
    [consent] = app.subscribers.show(ANNA).consents
    assert consent.source == "web: https://umbaupost.example.net/subscribe"
    assert consent.confirmed_at == app.now
    assert app.subscribers.sign_up(ANNA, language="de") is None


def test_a_confirmation_link_ends_after_its_days_and_foreign_ones_open_nothing(
    publication: Publication, clock: Clock
) -> None:
    app = App(publication.context(AUDIENCE__CONFIRM_DAYS="7"))
    signup = app.subscribers.sign_up(ANNA, language="de", source="form of the town")
    assert signup is not None and app.subscribers.send_confirmation(signup)
    token = confirmation_token(app)
    clock.now += timedelta(days=8)
    assert app.subscribers.confirm(token).result is ConfirmationResult.EXPIRED
    unknown = app.subscribers.confirm("x" * 43)
    assert (unknown.result, unknown.subscriber) == (ConfirmationResult.UNKNOWN, None)


def test_preferences_keep_topics_that_are_not_offered(app: App) -> None:
    app.subscribers.add(ANNA, consent=CONSENT, topics=["Altes", "Bestand"])
    [links] = app.subscribers.links()
    token = links.preferences.rpartition("/")[2]
    preferences = app.subscribers.preferences(token)
    assert preferences is not None
    assert preferences.offered == ("Bestand", "Kleinstadt")
    changed = app.subscribers.change_preferences(
        token, language="en", topics=["Kleinstadt", "Erfundenes"]
    )
    assert changed is not None
    assert changed.subscriber.topics == ("Kleinstadt", "Altes")
    assert changed.subscriber.language == "en"
    unchanged = app.subscribers.change_preferences(token, language="fr", topics=["Kleinstadt"])
    assert unchanged is not None and unchanged.subscriber.language == "en"


def test_who_is_not_confirmed_any_more_changes_no_preferences(app: App) -> None:
    token = joined(app)
    app.subscribers.unsubscribe(ANNA)
    result = app.subscribers.change_preferences(token, language="en", topics=["Bestand"])
    assert result is not None
    assert result.subscriber.status is SubscriberStatus.UNSUBSCRIBED
    assert (result.subscriber.language, result.subscriber.topics) == ("de", ())
    assert app.subscribers.show(ANNA).preferences_set_at is None


def test_a_token_opens_what_it_was_made_for_and_nothing_else(app: App) -> None:
    preferences = joined(app)
    [links] = app.subscribers.links()
    for token in (preferences, "x" * 43, "", links.unsubscribe):
        assert app.subscribers.read_unsubscribe_link(token) is None
        assert app.subscribers.unsubscribe_by_token(token) is None
    assert app.subscribers.preferences(links.unsubscribe_token) is None
    assert (
        app.subscribers.unsubscribe_by_token(links.unsubscribe_token, UnsubscribeMethod.PREFERENCES)
        is None
    )
    subscriber = app.subscribers.find(ANNA)
    assert subscriber is not None and subscriber.status is SubscriberStatus.CONFIRMED


@pytest.mark.parametrize("method", list(UnsubscribeMethod))
def test_leaving_by_a_link_counts_once_and_says_how(app: App, method: UnsubscribeMethod) -> None:
    preferences = joined(app)
    [links] = app.subscribers.links()
    by_preferences = method is UnsubscribeMethod.PREFERENCES
    token = preferences if by_preferences else links.unsubscribe_token
    for _ in range(2):
        link = app.subscribers.unsubscribe_by_token(token, method)
        assert link is not None and link.subscriber is not None
    record = app.subscribers.show(ANNA)
    assert record.subscriber.status is SubscriberStatus.UNSUBSCRIBED
    assert [row.method for row in record.unsubscribes] == [method]
    assert list(app.subscribers.links()) == []


def test_a_link_of_an_erased_subscriber_is_known_and_changes_nothing(app: App) -> None:
    preferences = joined(app)
    [links] = app.subscribers.links()
    app.subscribers.forget(ANNA)
    link = app.subscribers.unsubscribe_by_token(links.unsubscribe_token)
    assert link is not None and link.subscriber is None
    assert app.subscribers.preferences(preferences) is None


def test_links_of_a_page_elsewhere_unsubscribe_and_foreign_lines_are_counted(
    app: App, tmp_path: Path
) -> None:
    app.subscribers.add(ANNA, consent=CONSENT)
    [links] = app.subscribers.links()
    file = tmp_path / "left.txt"
    file.write_text(f"{links.unsubscribe}?x=1\n\n{'x' * 43}\nkein Link\n", encoding="utf-8")
    counts = app.subscribers.unsubscribe_by_links(file)
    assert (counts.valid, counts.foreign) == (1, 2)
    assert app.subscribers.unsubscribe_by_links([links.unsubscribe_token]).valid == 1


def test_tidying_says_what_it_did(app: App, clock: Clock) -> None:
    assert app.subscribers.sign_up(ANNA, language="de") is not None
    report = app.subscribers.tidy()
    assert str(report) == (
        "0 unconfirmed sign-ups and 0 old reports deleted, 0 who left forgotten, "
        "0 deliveries packed, 1 confirmations mailed; 0 still wait"
    )
    clock.now += timedelta(days=30)
    assert app.subscribers.tidy().as_dict() == {
        "unconfirmed": 1, "mailed": 0, "reports": 0, "waiting": 0, "forgotten": 0, "packed": 0,
    }  # fmt: skip


def test_a_wrong_value_on_the_command_line_is_wrong_usage(publication: Publication) -> None:
    add = ("subscribers", "add", ANNA, "--consent")
    assert "Die Einwilligung ist leer" in publication.run(*add, " ", code=2).err
    assert "eine von de, en" in publication.run(*add, CONSENT, "--language", "fr", code=2).err
    publication.run(*add, CONSENT)
    assert publication.run(*add, CONSENT).out.startswith("Unverändert")


def test_a_line_note_is_the_json_of_an_import() -> None:
    assert LineNote(3, "left there").as_dict() == {"line": 3, "reason": "left there"}
