"""All connections of a process, held by one thread: mark, send, record.

In each round the lines that are free get their next delivery, and one commit takes the replies that
have come in and the marks of what goes out next. No line sends before its own mark is committed, and
none gets a next one before its reply is written down. So a death leaves deliveries in ``sending``,
at most one for each connection, and nobody forgotten. Nothing is marked for a line that is not open:
a death while connecting must not look like a death on the wire.
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
from upcycle_news.delivery.session import DeliverySession
from upcycle_news.errors import RelayError
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

Answer = tuple[Transport | None, BaseException | None]


class Connector:
    """Connections on their way up or down. Readable (`fileno`) when one was opened or failed."""

    def __init__(self, connect: Callable[[], Transport]) -> None:
        """Open connections with `connect`, each in a thread of its own."""
        self._connect = connect
        self._done: deque[Answer] = deque()
        self._bell, self._ring = socket.socketpair()
        self._closing: list[threading.Thread] = []
        self.waiting = 0

    def fileno(self) -> int:
        """The socket's that rings."""
        return self._bell.fileno()

    def call(self) -> None:
        """Have one more opened."""
        self.waiting += 1
        threading.Thread(target=self._call, name="call", daemon=True).start()

    def _call(self) -> None:
        answer: Answer
        try:
            answer = self._connect(), None
        except BaseException as error:
            answer = None, error
        self._done.append(answer)
        try:
            self._ring.send(b"!")
        except OSError:  # the run is over
            self._abandon()

    def answered(self) -> list[Answer]:
        """What has come of calls since the last time: a connection, or why there is none."""
        found = []
        for _ in self._bell.recv(64):
            self.waiting -= 1
            found.append(self._done.popleft())
        return found

    def hang_up(self, wire: Transport) -> None:
        """Close a connection: at once when nothing needs to be said any more."""
        if wire.broken:
            wire.close()
            return
        self._closing = [one for one in self._closing if one.is_alive()]
        thread = threading.Thread(target=wire.close, name="hang up", daemon=True)
        self._closing.append(thread)
        thread.start()

    def close(self) -> None:
        """Wait until all are closed; those still being opened close when they are."""
        for thread in self._closing:
            thread.join()
        self._ring.close()
        self._bell.close()
        self._abandon()

    def _abandon(self) -> None:
        while self._done:
            with suppress(IndexError):
                wire, _ = self._done.popleft()
                if wire is not None:
                    wire.close()


MessageComposer = Callable[[LeasedDelivery], tuple[Envelope, bytes | DotStuffedMessage]]
_IDLE = 5.0  # seconds: a relay that hears nothing for long hangs up, so we do first
_ROUND = 1.0  # seconds after which we look up, whether the relay has said something or not


@dataclass(eq=False)
class _Line:
    """An open connection and what it carries."""

    wire: Transport
    claim: LeasedDelivery | None = None
    begun: bool = False
    epoch: int = 0
    carried: int = 0
    writing: bool = False


class SmtpEventLoop:
    """The lines of one run. All of its work is done in `work`, by the thread that calls it."""

    def __init__(
        self,
        session: DeliverySession,
        connect: Callable[[], Transport],
        compose_message: MessageComposer,
    ) -> None:
        """Work for `desk`; nothing is opened yet."""
        self.session, self._compose_message = session, compose_message
        self._free: list[_Line] = []
        self._busy: list[_Line] = []
        self._unrecorded: list[Record] = []
        self._selector = selectors.DefaultSelector()
        self._calls = Connector(connect)
        self._selector.register(self._calls, selectors.EVENT_READ)
        self._most = session.send_limits.connections
        self._connected_once = False
        self._enough = False

    def work(self) -> None:
        """Send until nothing is left to do now, or something says stop."""
        try:
            try:
                while self._round():
                    pass
            except Exception as error:
                self.session.fail(error)
                while self._busy:  # what is in flight is finished all the same
                    self._listen(None)
        except BaseException as error:
            self.session.fail(error)
            self._interrupted()
        finally:
            with suppress(Exception):
                self._flush()
            for line in [*self._free, *self._busy]:
                self._hang_up(line)
            self._calls.close()
            self._selector.close()

    def _round(self) -> bool:
        """Do what can be done now; False when the run is over."""
        session = self.session
        session.beat()
        at = None if session.ended else session.may_send_at()
        placed = not session.ended and at is None and self._place()
        self._flush()
        if self._busy or (self._calls.waiting and not session.ended):
            self._listen(at)
            return True
        if session.ended:
            return False  # whoever is still being called is hung up on
        if at is not None:
            self._rest(at)
            return session.wait_until(at)
        return placed or session.wait_for_deferred(self._rest)

    # --- giving out

    def _place(self) -> bool:
        """Give every free line its next delivery; whether there was anything to give."""
        found = self.session.anything()
        context = 1 if self.session.alone or not self._connected_once else self._most
        if found:
            self._call(context)
        free = min(len(self._free), context - len(self._busy))
        claims: list[LeasedDelivery] = []
        try:
            while len(claims) < free and (claim := self.session.take()) is not None:
                claims.append(claim)
            messages = [self._compose_message(claim) for claim in claims]
        except BaseException:
            self._put_back(claims)
            raise
        if claims:
            lines = self._marked(claims)
            for line, (envelope, message) in zip(lines, messages, strict=True):
                if line is not None:
                    self._begin(line, envelope, message)
        return found

    def _call(self, context: int) -> None:
        """Have further lines opened, as many as there is work for."""
        context = min(context, len(self._busy) + len(self.session.leases))
        have = len(self._busy) + len(self._free) + self._calls.waiting
        if not (self._enough and have):
            for _ in range(context - have):
                self._calls.call()

    def _marked(self, claims: list[LeasedDelivery]) -> list[_Line | None]:
        """Commit what is unrecorded together with these marks; the line for each that may go."""
        answers: list[ClaimResult] | None = None
        lines: list[_Line | None] = []
        try:
            answers = list(self.session.commit(self._unrecorded, claims))
            self._unrecorded = []
            for claim, answer in zip(claims, answers, strict=True):
                line = None
                if answer.status is ClaimStatus.GRANTED:
                    line = self._free.pop()
                    line.claim, line.begun, line.epoch = claim, False, self.session.epoch
                    self._busy.append(line)
                lines.append(line)
        except BaseException:
            taken = {line.claim.delivery for line in self._busy if line.claim is not None}
            for claim, answer in zip(
                claims, answers or [ClaimResult(ClaimStatus.GRANTED)] * len(claims), strict=True
            ):
                if answer.status is ClaimStatus.GRANTED and claim.delivery not in taken:
                    with suppress(Exception):
                        self.session.return_unsent(claim)
            raise
        for claim, answer in reversed(list(zip(claims, answers, strict=True))):
            if answer.status is not ClaimStatus.GRANTED:
                self.session.told_no(claim, answer)
        return lines

    def _put_back(self, claims: list[LeasedDelivery]) -> None:
        for claim in reversed(claims):
            self.session.put_back(claim)

    # --- the wire

    def _begin(self, line: _Line, envelope: Envelope, message: bytes | DotStuffedMessage) -> None:
        line.begun = True
        self._heard(line, line.wire.begin(envelope, message))

    def _listen(self, at: datetime | None) -> None:
        """Wait until a relay says something, but not for ever, and not beyond `at`."""
        now = time.monotonic()
        seconds = min([_ROUND, *(line.wire.deadline - now for line in self._busy)])
        if at is not None:
            seconds = min(seconds, (at - self.session.clock()).total_seconds())
        for key, _ in self._selector.select(max(seconds, 0.0)):
            line: _Line | None = key.data
            if line is None:
                self._connected()
            elif line.claim is not None:
                self._heard(line, line.wire.advance())
            elif line in self._free:  # not spoken to, it can only have hung up
                self._hang_up(line)
        now = time.monotonic()
        for line in [one for one in self._busy if one.wire.deadline <= now]:
            self._heard(line, line.wire.expire())

    def _heard(self, line: _Line, outcome: Outcome | None) -> None:
        """A line got on; with an `outcome` it is through with its message."""
        if line.wire.writing != line.writing:
            line.writing = line.wire.writing
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if line.writing else 0)
            self._selector.modify(line.wire, events, line)
        if outcome is None or line.claim is None:
            return
        claim, line.claim = line.claim, None
        self._busy.remove(line)
        self._free.append(line)
        line.carried += 1
        verdict = self.session.verdict(claim, outcome)
        self._unrecorded.append((claim, self.session.written(verdict)))
        if not self.session.canary_guard.passed:
            self._flush()  # before the guard of the first ten writes about the same delivery
        self.session.count(claim, verdict)
        self.session.mind_the_first_ten(claim, verdict)
        self._mind_the_relay(line, outcome, verdict)

    def _mind_the_relay(self, line: _Line, outcome: Outcome, verdict: Verdict) -> None:
        """Leave a broken connection; slow down for a relay that struggles; stop for a dead one."""
        most = self.session.send_limits.messages_per_connection
        if line.wire.broken or (most and line.carried >= most):
            self._hang_up(line)
        if isinstance(outcome, LostBeforeBody | LostInBody):
            self.session.lost(outcome.reason, line.epoch)
        elif not isinstance(outcome, UnsupportedAddress):
            self.session.answered(verdict)
            self._enough = self._enough and verdict.state is not DeliveryState.SENT

    def _flush(self) -> None:
        """Write down what is unrecorded now, without waiting for the next mark."""
        if self._unrecorded:
            self.session.commit(self._unrecorded, [])
            self._unrecorded = []

    def _interrupted(self) -> None:
        """Whatever the ledger can still take down is better than ``sending``."""
        for line in self._busy:
            claim, line.claim = line.claim, None
            if claim is None:
                continue
            with suppress(Exception):
                if line.begun and line.wire.in_body:
                    lost = LostInBody("the program was interrupted while the message was sent")
                    verdict = replace(self.session.verdict(claim, lost), suppress=False)
                    self._unrecorded.append((claim, verdict))
                else:
                    self.session.return_unsent(claim)

    # --- the connections

    def _connected(self) -> None:
        """Take over the lines that have been opened, and hear about those that could not."""
        for wire, error in self._calls.answered():
            if wire is not None:
                self._connected_once = True
                line = _Line(wire)
                self._selector.register(wire, selectors.EVENT_READ, line)
                self._free.append(line)
            elif error is not None:
                self._not_connected(error)

    def _not_connected(self, error: BaseException) -> None:
        """The very first failure is raised, later ones are waited for, then they stop the run.

        A further connection may be one too many for this relay: the others go on.
        """
        if not isinstance(error, RelayError) or not self._connected_once:
            raise error
        if self._busy or self._free:
            if self.session.failures == 0:
                self._most = max(self._most - 1, 1)
            self._enough = True  # until a message is accepted
        else:
            self.session.unreachable(str(error), lasting=not isinstance(error, RelayUnreachable))

    def _rest(self, at: datetime) -> None:
        """Nothing goes before `at`: keep no relay waiting."""
        if (at - self.session.clock()).total_seconds() > _IDLE:
            for line in list(self._free):
                self._hang_up(line)

    def _hang_up(self, line: _Line) -> None:
        for lines in (self._free, self._busy):
            if line in lines:
                lines.remove(line)
        with suppress(KeyError, ValueError):
            self._selector.unregister(line.wire)
        self._calls.hang_up(line.wire)
