from __future__ import annotations

import mailbox as maildir

import pytest

from upcycle_news.errors import UpcycleError
from upcycle_news.models import Envelope
from upcycle_news.transports.dev_mailbox import DevMailbox
from upcycle_news.transports.outcomes import Accepted, Refused
from upcycle_news.transports.smtp import open_connection

MESSAGE = b"Subject: hello\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n.\r\nend\r\n"


def test_every_message_is_stored_byte_for_byte_below_its_trace_headers(tmp_path):
    with DevMailbox(tmp_path / "mailbox") as box, open_connection(box.relay()) as connection:
        for number in range(20):
            envelope = Envelope("bounce@example.org", f"reader{number}@example.net")
            assert isinstance(connection.send(envelope, MESSAGE), Accepted)

    files = list((tmp_path / "mailbox" / "new").iterdir())
    assert len(files) == 20
    for file in files:
        sender, recipient, message = file.read_bytes().split(b"\r\n", 2)
        assert sender == b"Return-Path: <bounce@example.org>"
        assert recipient.startswith(b"Delivered-To: reader")
        assert message == MESSAGE
        assert file.stat().st_mode & 0o077 == 0
    assert not list((tmp_path / "mailbox" / "tmp").iterdir())
    messages = maildir.Maildir(str(tmp_path / "mailbox"))
    assert {mail["Subject"] for mail in messages} == {"hello"}


def test_a_second_run_adds_to_the_first(tmp_path):
    for _ in range(2):
        with DevMailbox(tmp_path) as box, open_connection(box.relay()) as connection:
            connection.send(Envelope("a@b.example", "c@d.example"), MESSAGE)
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_it_ends_quietly_with_a_connection_still_open(tmp_path, capfd):
    with DevMailbox(tmp_path) as box:
        connection = open_connection(box.relay())
        connection.send(Envelope("a@b.example", "c@d.example"), MESSAGE)
    connection.close()
    assert capfd.readouterr() == ("", "")


def test_a_mailbox_that_cannot_be_written_replies_452(tmp_path):
    with DevMailbox(tmp_path) as box, open_connection(box.relay()) as connection:
        (tmp_path / "new").rmdir()
        outcome = connection.send(Envelope("a@b.example", "c@d.example"), MESSAGE)
        assert isinstance(outcome, Refused)
        assert (outcome.reply.code, outcome.reply.enhanced) == (452, "4.3.1")
    assert not list((tmp_path / "tmp").iterdir())


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UpcycleError, match="the mailbox cannot be made"):
        DevMailbox(tmp_path / "file").__enter__()


def test_a_closed_mailbox_is_no_relay(tmp_path):
    with pytest.raises(UpcycleError, match="closed"):
        DevMailbox(tmp_path).relay()
