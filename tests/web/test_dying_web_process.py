"""A web process that is killed or stopped loses no sign-up, whatever the relay does at that moment."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import EmailAddress
from upcycle_news.services.subscribers import subscriptions
from upcycle_news.storage import confirmation_mails

from ..processes import free_port
from ..publications import Publication, parse_mail, relay_variables
from ..transports.bad_relays import MisbehavingRelay
from ..waiting import wait_until
from .web_server import WebServer

STEPS = (
    "connect", "RCPT", "body", "accepted",
    *(pytest.param(step, marks=pytest.mark.nightly) for step in ("EHLO", "MAIL", "DATA")),
)  # fmt: skip


class HangingRelay:
    """A relay that says nothing more from one step on: never greets, never answers EHLO, …

    With "accepted" it answers the message and then nothing, not even to QUIT.
    """

    def __init__(self, step: str) -> None:
        self._step = step
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        self.reached, self.mails = threading.Event(), 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in (self._server, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._open.append(client)
                threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        if self._step == "connect":
            self.reached.set()
            return
        lines = client.makefile("rb")
        client.sendall(b"220 relay\r\n")
        with suppress(OSError):
            while line := lines.readline():
                verb = line[:4].decode().strip().upper()
                if verb == self._step:
                    self.reached.set()
                    return
                if verb == "DATA":
                    client.sendall(b"354 go\r\n")
                    while lines.readline() not in (b".\r\n", b""):
                        pass
                    if self._step == "body":
                        self.reached.set()
                        return
                    self.mails += 1
                    self.reached.set()
                client.sendall(b"250 ok\r\n")


@contextmanager
def hanging(step: str) -> Iterator[HangingRelay]:
    relay = HangingRelay(step)
    try:
        yield relay
    finally:
        relay.close()


@contextmanager
def web_process(publication: Publication, relay: int) -> Iterator[tuple[subprocess.Popen[str], WebServer]]:  # fmt: skip
    port = free_port()
    variables = {**relay_variables(relay), "RELAYS__MAIN__TIMEOUT": "600"}
    process = publication.start("web", "--port", str(port), **variables)
    server = WebServer(f"http://127.0.0.1:{port}")

    def answers() -> bool:
        assert process.poll() is None, process.communicate()[1]
        with suppress(OSError):
            return server.get("/healthz").status == 200
        return False

    try:
        wait_until(answers, "the web process did not start", interval=0.05)
        yield process, server
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=60)


def deliver_rest(publication: Publication) -> list[str]:
    """Send what waits over a relay that is well; returns the recipients."""
    with MisbehavingRelay() as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        context = AppContext(context.settings)  # real time, as the process that died had
        publication.contexts.append(context)
        subscriptions.purge_expired(context)
        return sorted(relay.recipients)


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_process_loses_no_sign_up(publication: Publication, step: str) -> None:
    addresses = [f"leserin{number}@example.org" for number in range(3)]
    with hanging(step) as relay, web_process(publication, relay.port) as (process, server):
        for address in addresses:
            assert server.post("/subscribe", {"email": address}).status == 200
        assert relay.reached.wait(60)
        if step == "accepted":  # the relay goes on: killed once all were taken and written down
            store = publication.context().store
            wait_until(lambda: confirmation_mails.count_waiting(store) == 0, "mails wait", interval=0.05)  # fmt: skip
        os.kill(process.pid, signal.SIGKILL)
        process.wait(60)
    assert deliver_rest(publication) == ([] if step == "accepted" else addresses)
    assert deliver_rest(publication) == []


@pytest.mark.parametrize("step", STEPS)
def test_a_stopped_process_ends_soon_and_leaves_the_rest_to_others(
    publication: Publication, step: str
) -> None:
    addresses = [f"leserin{number}@example.org" for number in range(4)]
    with hanging(step) as relay, web_process(publication, relay.port) as (process, server):
        for address in addresses:
            assert server.post("/subscribe", {"email": address}).status == 200
        assert relay.reached.wait(60)
        process.send_signal(signal.SIGTERM)
        process.wait(120)  # fails when it is not over by then: the relay's own limit is 600 seconds
    rest = deliver_rest(publication)
    assert len(rest) + relay.mails == 4
    assert rest == ([] if step == "accepted" else addresses)
    assert deliver_rest(publication) == []


def test_a_mail_that_is_sent_once_more_has_the_message_id_of_the_first_one(
    publication: Publication,
) -> None:
    with MisbehavingRelay(drop="before 250", drops=1) as relay:
        context = publication.context(**relay_variables(relay.controller.port))
        subscriptions.sign_up(context, EmailAddress.parse("anna@example.org"), language="de")
        assert subscriptions.purge_expired(context).mailed == 0
        assert subscriptions.purge_expired(context).mailed == 1
        first, second = (parse_mail(mail)["Message-ID"] for _, mail in relay.accepted)
    assert first == second


def test_two_processes_over_one_store_send_each_mail_once(publication: Publication) -> None:
    with (
        MisbehavingRelay() as relay,
        web_process(publication, relay.controller.port) as (_, one),
        web_process(publication, relay.controller.port) as (_, two),
    ):
        for number in range(24):
            server = one if number % 2 else two
            answer = server.post(
                "/subscribe", {"email": f"leserin{number}@example.org"},
                X_Forwarded_For=f"198.18.{number}.9",
            )  # fmt: skip
            assert answer.status == 200
        store = publication.context().store
        wait_until(lambda: confirmation_mails.count_waiting(store) == 0, "mails wait", interval=0.1)
        assert sorted(relay.recipients) == sorted(f"leserin{n}@example.org" for n in range(24))


def test_two_processes_over_one_store_share_the_limits(publication: Publication) -> None:
    with (
        MisbehavingRelay() as relay,
        web_process(publication, relay.controller.port) as (_, one),
        web_process(publication, relay.controller.port) as (_, two),
    ):
        for number in range(80):
            server = one if number % 2 else two
            server.post(
                "/subscribe", {"email": f"n{number}@ort{number}.example"},
                X_Forwarded_For=f"198.18.{number}.9",
            )  # fmt: skip
        store = publication.context().store
        wait_until(lambda: confirmation_mails.count_waiting(store) <= 50, "none was sent", interval=0.1)  # fmt: skip
    assert len(relay.recipients) == 30
    assert deliver_rest(publication) == []
