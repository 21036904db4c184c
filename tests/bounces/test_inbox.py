"""The inbox over IMAP: read without a trace, moved and never deleted."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.bounces.parser import MAX_BYTES
from upcycle_news.errors import UpcycleError
from upcycle_news.services.bounces import process

from ..publications import Publication, add_confirmed_subscribers, send_issue
from ..transports.bad_relays import certificate
from . import sample_reports
from .imap_server import Account, imap_server


def room_at(publication: Publication, port: int, password: str = "geheim") -> AppContext:
    return publication.context(
        SENDER__VERP="true", INBOX__HOST="127.0.0.1", INBOX__PORT=str(port),
        INBOX__SECURITY="none", INBOX__USERNAME="bounces", INBOX__PASSWORD=password,
    )  # fmt: skip


@pytest.mark.parametrize("keywords", [True, False])
def test_reports_are_moved_and_peoples_mail_stays_unread(
    publication: Publication, keywords: bool
) -> None:
    context = publication.context(SENDER__VERP="true")
    add_confirmed_subscribers(context, "anna@example.org")
    publication.write_essay()
    assert send_issue(context).closed
    addresses = context.bounce_addresses
    assert addresses is not None
    to = addresses.address_for(1, 1)
    letter = sample_reports.answer("post@umbaupost.example.net").replace(b"\n", b"\r\n")
    report = sample_reports.gmail(to, "anna@example.org").replace(b"\n", b"\r\n")
    with imap_server(Account({"INBOX": {7: letter, 9: report}}, keywords)) as account:
        told = process.collect(room_at(publication, account.port))
        assert (told.hard, told.left_alone, told.suppressed) == (1, 1, 1)
        assert list(account.folders["INBOX"]) == [7]
        assert list(account.folders["processed"]) == [9]
        assert not any("BODY[]" in said and "PEEK" not in said for said in account.said)
        fetched = sum("UID FETCH" in said for said in account.said)
        again = process.collect(room_at(publication, account.port))
        assert again.left_alone == (0 if keywords else 1)
        assert sum("UID FETCH" in said for said in account.said) == fetched + again.left_alone
        assert list(account.folders["INBOX"]) == [7]


@pytest.mark.parametrize("when", ["SELECT", "UID SEARCH", "UID FETCH", "UID STORE"])
def test_a_server_that_hangs_up_is_told_in_a_sentence(publication: Publication, when: str) -> None:
    letter = sample_reports.answer("post@umbaupost.example.net").replace(b"\n", b"\r\n")
    with (
        imap_server(Account({"INBOX": {7: letter}}, hangs_up_at=when)) as account,
        pytest.raises(UpcycleError, match="broke off"),
    ):
        process.collect(room_at(publication, account.port))


def test_a_wrong_password_and_a_dead_server_are_told_without_the_password(
    publication: Publication,
) -> None:
    with imap_server(Account({"INBOX": {}})) as account:
        with pytest.raises(UpcycleError, match="refused") as refused:
            process.collect(room_at(publication, account.port, "falsch123"))
        assert "falsch123" not in str(refused.value)
    with pytest.raises(UpcycleError, match="does not answer"):
        process.collect(room_at(publication, account.port))


def test_no_mail_of_a_stranger_stops_the_collecting(publication: Publication) -> None:
    nested = b"Content-Type: message/rfc822\r\n\r\n" * 3000
    letter = sample_reports.answer("post@umbaupost.example.net").replace(b"\n", b"\r\n")
    huge = b"Subject: gross\r\n\r\n" + b"x" * (MAX_BYTES + 100)
    with imap_server(Account({"INBOX": {1: nested, 2: huge, 3: letter}})) as account:
        assert process.collect(room_at(publication, account.port)).left_alone == 3


def test_a_wish_to_leave_is_told_until_somebody_has_read_the_mail(publication: Publication) -> None:
    wish = b"From: a@example.org\r\nSubject: Bitte abbestellen\r\n\r\n\r\n"
    with imap_server(Account({"INBOX": {7: wish}})) as account:
        for _ in range(2):
            told = process.collect(room_at(publication, account.port))
            assert (told.left_alone, told.wants_to_leave) == (1, 1)
            assert account.marked == {}
        account.seen.add(7)
        assert process.collect(room_at(publication, account.port)).wants_to_leave == 0
        assert list(account.marked) == [7]


def test_a_user_without_a_password_is_refused_before_it_is_tried(publication: Publication) -> None:
    with imap_server(Account({"INBOX": {}})) as account, pytest.raises(UpcycleError) as refused:
        process.collect(room_at(publication, account.port, password=""))
    assert "UPCYCLE_NEWS_INBOX__PASSWORD" in str(refused.value)
    assert account.said == []


def test_a_certificate_that_is_not_trusted_is_named_with_the_cure(
    publication: Publication, tmp_path: Path
) -> None:
    own, key = certificate(tmp_path, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own, key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            with suppress(OSError), context.wrap_socket(server.accept()[0], server_side=True):
                pass

        thread = threading.Thread(target=refuse)
        thread.start()
        port = str(server.getsockname()[1])
        output = publication.run(
            "bounces", "collect", code=1, INBOX__HOST="localhost", INBOX__PORT=port,
            INBOX__SECURITY="tls", INBOX__USERNAME="bounces", INBOX__PASSWORD="geheim",
        ).err  # fmt: skip
        thread.join()
    assert "Zertifikat" in output
    assert "SSL_CERT_FILE" in output
