"""The inbox over IMAP: read without a trace, moved and never deleted."""

from __future__ import annotations

import pytest

from upcycle_news.errors import UpcycleError
from upcycle_news.newsroom import Newsroom
from upcycle_news.steps import bouncing

from ..publications import Publication, add, sent
from . import dsns
from .imap import Account, imap_server


def room_at(publication: Publication, port: int, password: str = "geheim") -> Newsroom:
    return publication.room(
        SENDER__VERP="true", INBOX__HOST="127.0.0.1", INBOX__PORT=str(port),
        INBOX__SECURITY="none", INBOX__USERNAME="bounces", INBOX__PASSWORD=password,
    )  # fmt: skip


def test_reports_are_moved_and_peoples_mail_stays_unread(publication: Publication) -> None:
    room = publication.room(SENDER__VERP="true")
    add(room, "anna@example.org")
    publication.essay()
    assert sent(room).closed
    addresses = room.bounce_addresses
    assert addresses is not None
    to = addresses.address_for(1, 1)
    letter = dsns.answer("post@umbaupost.example.net").replace(b"\n", b"\r\n")
    report = dsns.gmail(to, "anna@example.org").replace(b"\n", b"\r\n")
    with imap_server(Account({"INBOX": {7: letter, 9: report}})) as account:
        told = bouncing.collect(room_at(publication, account.port))
        assert (told.hard, told.left_alone, told.suppressed) == (1, 1, 1)
        assert list(account.folders["INBOX"]) == [7]
        assert list(account.folders["processed"]) == [9]
        assert not any("BODY[]" in said and "PEEK" not in said for said in account.said)
        assert bouncing.collect(room_at(publication, account.port)).left_alone == 1


def test_a_wrong_password_and_a_dead_server_are_told_without_the_password(
    publication: Publication,
) -> None:
    with imap_server(Account({"INBOX": {}})) as account:
        with pytest.raises(UpcycleError, match="refused") as refused:
            bouncing.collect(room_at(publication, account.port, "falsch123"))
        assert "falsch123" not in str(refused.value)
    with pytest.raises(UpcycleError, match="does not answer"):
        bouncing.collect(room_at(publication, account.port))
