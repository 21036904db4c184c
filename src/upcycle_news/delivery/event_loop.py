"""All SMTP connections of a process, driven by one thread: claim, send, record.

In each step the free connections get their next delivery, and one commit takes the verdicts that
have come in and the claims of what goes out next. No connection sends before its own claim is
committed, and none gets a next delivery before its verdict is recorded. So a death leaves deliveries
in ``sending``, at most one for each connection, and loses none. Nothing is claimed for a connection
that is not open: a death while connecting must not look like a death on the wire.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from upcycle_news.delivery.ports import Record, Transport
from upcycle_news.delivery.run_state import RunState
from upcycle_news.errors import RelayError
from upcycle_news.i18n.messages import localized
from upcycle_news.i18n.recognition import recognise
from upcycle_news.mail.dot_stuffing import DotStuffedMessage
from upcycle_news.models import (
    ClaimResult,
    ClaimStatus,
    DeliveryState,
    Envelope,
    LeasedDelivery,
    Verdict,
)
from upcycle_news.transports.outcomes import (
    LostBeforeBody,
    LostInBody,
    Outcome,
    RelayUnreachable,
    UnsupportedAddress,
)

MessageComposer = Callable[[LeasedDelivery], tuple[Envelope, bytes | DotStuffedMessage]]
ConnectResult = tuple[Transport | None, BaseException | None]
_IDLE_LIMIT = 5.0  # seconds: a relay closes connections that idle for long, so we do first
# Replies of 4xx and 5xx in a row after which a connection is left: Postfix delays every reply by a
# second from the tenth on and hangs up after twenty (postconf(5): smtpd_soft_error_limit), others
# are stricter. With PIPELINING a refused recipient is two: DATA is refused as well.
SESSION_ERRORS = 5
_POLL_LIMIT = 1.0  # seconds until the next step, whether the relay has said something or not
_GATHER_LIMIT = 0.001  # seconds: what a reply waits at the most to be recorded together with others


@dataclass(eq=False)
class _PooledConnection:
    """An open connection and the delivery that it carries."""

    transport: Transport
    claim: LeasedDelivery | None = None
    started: bool = False
    epoch: int = 0
    carried: int = 0
    writing: bool = False


class SmtpEventLoop:
    """The connections of one run. All work is done in `run`, by the thread that calls it."""

    def __init__(
        self,
        session: RunState,
        connect: Callable[[], Transport],
        compose_message: MessageComposer,
    ) -> None:
        """Work for `session`; nothing is opened yet."""
        self.session, self._compose_message = session, compose_message
        self._free: list[_PooledConnection] = []
        self._busy: list[_PooledConnection] = []
        self._unrecorded: list[Record] = []
        self._selector = selectors.DefaultSelector()
        self._connector = Connector(connect)
        self._selector.register(self._connector, selectors.EVENT_READ)
        self._max_connections = session.send_limits.connections
        self._connected_once = False
        self._open_no_more = False

    def run(self) -> None:
        """Send until nothing is left to do now, or something stops the run."""
        try:
            try:
                while self._tick():
                    pass
            except Exception as error:
                self.session.fail(error)
                while self._busy:  # what is in flight is finished all the same
                    self._poll(None)
        except BaseException as error:
            self.session.fail(error)
            self._on_interrupt()
        finally:
            with suppress(Exception):
                self._flush()
            for connection in [*self._free, *self._busy]:
                self._disconnect(connection)
            self._connector.close()
            self._selector.close()

    def _tick(self) -> bool:
        """Do what can be done now; False when the run is over."""
        session = self.session
        session.show_news()
        session.send_heartbeat()
        at = None if session.ended else session.may_send_at()
        dispatched = not session.ended and at is None and self._dispatch()
        self._flush()
        if self._busy or (self._connector.pending and not session.ended):
            self._poll(at)
            self._gather()
            return True
        if session.ended:
            return False  # connections that are still being opened are closed
        if at is not None:
            self._close_idle(at)
            return session.wait_until(at)
        return dispatched or session.wait_for_deferred(self._close_idle)

    # --- dispatching

    def _dispatch(self) -> bool:
        """Give each free connection its next delivery; False when there was nothing to send."""
        has_leases = self.session.ensure_leases()
        single = self.session.single_connection or not self._connected_once
        limit = 1 if single else self._max_connections
        if has_leases:
            self._open_connections(limit)
        free = min(len(self._free), limit - len(self._busy))
        claims: list[LeasedDelivery] = []
        try:
            while len(claims) < free and (claim := self.session.next_lease()) is not None:
                claims.append(claim)
            messages = [self._compose_message(claim) for claim in claims]
        except BaseException:
            self._return_leases(claims)
            raise
        if claims:
            connections = self._assign(claims)
            for connection, (envelope, message) in zip(connections, messages, strict=True):
                if connection is not None:
                    self._start(connection, envelope, message)
        return has_leases

    def _open_connections(self, limit: int) -> None:
        """Open further connections, up to `limit` and as many as there is work for."""
        wanted = min(limit, len(self._busy) + len(self.session.leases))
        present = len(self._busy) + len(self._free) + self._connector.pending
        if not (self._open_no_more and present):
            for _ in range(wanted - present):
                self._connector.connect()

    def _assign(self, claims: list[LeasedDelivery]) -> list[_PooledConnection | None]:
        """Commit the unrecorded verdicts and these claims; return a connection for each granted."""
        answers: list[ClaimResult] | None = None
        connections: list[_PooledConnection | None] = []
        try:
            answers = list(self.session.commit(self._unrecorded, claims))
            self._unrecorded = []
            for claim, answer in zip(claims, answers, strict=True):
                connection = None
                if answer.status is ClaimStatus.GRANTED:
                    connection = self._free.pop()
                    connection.claim, connection.started = claim, False
                    connection.epoch = self.session.backoff.epoch
                    self._busy.append(connection)
                connections.append(connection)
        except BaseException:
            assigned = {busy.claim.delivery for busy in self._busy if busy.claim is not None}
            for claim, answer in zip(
                claims, answers or [ClaimResult(ClaimStatus.GRANTED)] * len(claims), strict=True
            ):
                if answer.status is ClaimStatus.GRANTED and claim.delivery not in assigned:
                    with suppress(Exception):
                        self.session.return_unsent(claim)
            raise
        for claim, answer in reversed(list(zip(claims, answers, strict=True))):
            if answer.status is not ClaimStatus.GRANTED:
                self.session.handle_denied(claim, answer)
        return connections

    def _return_leases(self, claims: list[LeasedDelivery]) -> None:
        for claim in reversed(claims):
            self.session.return_lease(claim)

    # --- messages in flight

    def _start(
        self, connection: _PooledConnection, envelope: Envelope, message: bytes | DotStuffedMessage
    ) -> None:
        connection.started = True
        self._on_progress(connection, connection.transport.begin(envelope, message))

    def _poll(self, at: datetime | None) -> None:
        """Wait until a relay says something, at most until `at` or the next deadline."""
        now = time.monotonic()
        seconds = min([_POLL_LIMIT, *(busy.transport.deadline - now for busy in self._busy)])
        if at is not None:
            seconds = min(seconds, (at - self.session.clock()).total_seconds())
        self._advance(seconds)
        now = time.monotonic()
        for connection in [busy for busy in self._busy if busy.transport.deadline <= now]:
            self._on_progress(connection, connection.transport.expire())

    def _gather(self) -> None:
        """Wait a moment until half of the messages on the wire are answered.

        One commit for several costs little more than one for each, and the other half keeps the relay busy.
        """
        until = time.monotonic() + _GATHER_LIMIT
        while 0 < len(self._unrecorded) < len(self._busy):
            if (seconds := until - time.monotonic()) <= 0:
                return
            self._advance(seconds)

    def _advance(self, seconds: float) -> None:
        """Go on with what relays have said; wait for `seconds` until one says something."""
        for key, _ in self._selector.select(max(seconds, 0.0)):
            connection: _PooledConnection | None = key.data
            if connection is None:
                self._on_connector_ready()
            elif connection.claim is not None:
                self._on_progress(connection, connection.transport.advance())
            elif connection in self._free:  # it carries nothing, so the relay has closed it
                self._disconnect(connection)

    def _on_progress(self, connection: _PooledConnection, outcome: Outcome | None) -> None:
        """A message has advanced; with an `outcome` it is finished."""
        transport = connection.transport
        if transport.writing != connection.writing:
            connection.writing = transport.writing
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.writing else 0)
            self._selector.modify(transport, events, connection)
        if outcome is None or connection.claim is None:
            return
        claim, connection.claim = connection.claim, None
        self._busy.remove(connection)
        self._free.append(connection)
        connection.carried += 1
        verdict = self.session.verdict(claim, outcome)
        self._unrecorded.append((claim, verdict))
        self.session.count(claim, verdict)
        self._on_outcome(connection, outcome, verdict)

    def _on_outcome(
        self, connection: _PooledConnection, outcome: Outcome, verdict: Verdict
    ) -> None:
        """Close a broken or used-up connection, and tell the session how the relay behaves."""
        most = self.session.send_limits.messages_per_connection
        used_up = bool(most) and connection.carried >= most
        if connection.transport.broken or used_up or connection.transport.errors >= SESSION_ERRORS:
            self._disconnect(connection)
        if isinstance(outcome, LostBeforeBody | LostInBody):
            in_body = isinstance(outcome, LostInBody)
            why = recognise(outcome.reason, "reasons")
            self.session.on_connection_lost(connection.epoch, why, in_body=in_body)
        elif not isinstance(outcome, UnsupportedAddress):
            self.session.on_reply(verdict, connection.epoch)
            self._open_no_more = self._open_no_more and verdict.state is not DeliveryState.SENT

    def _flush(self) -> None:
        """Record the unrecorded verdicts now, without waiting for the next claim."""
        if self._unrecorded:
            self.session.commit(self._unrecorded, [])
            self._unrecorded = []

    def _on_interrupt(self) -> None:
        """Record or return what is in flight: anything is better than ``sending``."""
        for connection in self._busy:
            claim, connection.claim = connection.claim, None
            if claim is None:
                continue
            with suppress(Exception):
                if connection.started and connection.transport.in_body:
                    lost = LostInBody(str(localized("reason-interrupted")))
                    verdict = replace(self.session.verdict(claim, lost), suppress=False)
                    self._unrecorded.append((claim, verdict))
                else:
                    self.session.return_unsent(claim)

    # --- opening and closing connections

    def _on_connector_ready(self) -> None:
        """Take over the connections that were opened, and handle those that could not be."""
        for transport, error in self._connector.results():
            if transport is not None:
                self._connected_once = True
                connection = _PooledConnection(transport)
                self._selector.register(transport, selectors.EVENT_READ, connection)
                self._free.append(connection)
            elif error is not None:
                self._on_connect_failed(error)

    def _on_connect_failed(self, error: BaseException) -> None:
        """Raise the very first failure; back off after later ones, which may end the run.

        A further connection may be more than this relay allows: the others go on.
        """
        if not isinstance(error, RelayError) or not self._connected_once:
            raise error
        if self._busy or self._free:
            if self.session.backoff.failures == 0:
                self._max_connections = max(self._max_connections - 1, 1)
            self._open_no_more = True  # until a message is accepted
        else:
            permanent = not isinstance(error, RelayUnreachable)
            self.session.on_unreachable(error, permanent=permanent)

    def _close_idle(self, at: datetime) -> None:
        """Close the free connections when nothing is sent for long, until `at`."""
        if (at - self.session.clock()).total_seconds() > _IDLE_LIMIT:
            for connection in list(self._free):
                self._disconnect(connection)

    def _disconnect(self, connection: _PooledConnection) -> None:
        for connections in (self._free, self._busy):
            if connection in connections:
                connections.remove(connection)
        with suppress(KeyError, ValueError):
            self._selector.unregister(connection.transport)
        self._connector.disconnect(connection.transport)


class Connector:
    """Opens and closes connections in threads of their own, so that the event loop never blocks.

    Its socket (`fileno`) becomes readable when a connection was opened or failed.
    """

    def __init__(self, connect: Callable[[], Transport]) -> None:
        """Open connections with `connect`."""
        self._connect = connect
        self._results: deque[ConnectResult] = deque()
        self._wakeup_r, self._wakeup_w = socket.socketpair()
        self._closing: list[threading.Thread] = []
        self.pending = 0

    def fileno(self) -> int:
        """Return the descriptor of the socket to select on."""
        return self._wakeup_r.fileno()

    def connect(self) -> None:
        """Start opening one more connection."""
        self.pending += 1
        threading.Thread(target=self._open, name="smtp connect", daemon=True).start()

    def _open(self) -> None:
        result: ConnectResult
        try:
            result = self._connect(), None
        except BaseException as error:
            result = None, error
        self._results.append(result)
        try:
            self._wakeup_w.send(b"!")
        except OSError:  # the run is over
            self._close_unclaimed()

    def results(self) -> list[ConnectResult]:
        """Return the results since the last call: a connection, or the error of opening it."""
        results = []
        for _ in self._wakeup_r.recv(64):
            self.pending -= 1
            results.append(self._results.popleft())
        return results

    def disconnect(self, transport: Transport) -> None:
        """Close a connection: at once when no QUIT is to be sent."""
        if transport.broken:
            transport.close()
            return
        self._closing = [thread for thread in self._closing if thread.is_alive()]
        thread = threading.Thread(target=transport.close, name="smtp quit", daemon=True)
        self._closing.append(thread)
        thread.start()

    def close(self) -> None:
        """Wait until all are closed; those still being opened are closed once they are open."""
        for thread in self._closing:
            thread.join()
        self._wakeup_w.close()
        self._wakeup_r.close()
        self._close_unclaimed()

    def _close_unclaimed(self) -> None:
        while self._results:
            with suppress(IndexError):
                transport, _ = self._results.popleft()
                if transport is not None:
                    transport.close()
