"""One connection at work: take a delivery, mark it, send it, and write down what became of it.

The reply of one message and the mark of the next are one commit. A death in between leaves the
delivery in ``sending``, at most one for each connection, and nobody forgotten. Nothing is marked
while there is no connection: a death while connecting must not look like a death on the wire.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from upcycle_news.errors import RelayError
from upcycle_news.model import Claim, DeliveryState, Envelope, Verdict
from upcycle_news.postroom.contract import Record, Wire
from upcycle_news.postroom.desk import Desk
from upcycle_news.postroom.outcomes import (
    CannotCarry,
    LostBeforeBody,
    LostInBody,
    Outcome,
    RelayUnreachable,
)

Compose = Callable[[Claim], tuple[Envelope, bytes]]
_IDLE = 5.0  # seconds: a relay that hears nothing for long hangs up, so we do first


class Line:
    """A connection of a run, opened when it is first needed. Each has its thread."""

    def __init__(self, desk: Desk, connect: Callable[[], Wire], compose_for: Compose) -> None:
        """Work for `desk`; nothing is opened yet."""
        self.desk, self._connect, self._compose_for = desk, connect, compose_for
        self._wire: Wire | None = None
        self.turned_away = False
        self._carried = 0
        self._connected_once = False
        self._unrecorded: list[Record] = []

    def work(self) -> None:
        """Send until nothing is left to do now, or something says stop."""
        try:
            while (claim := self._next()) is not None:
                self._one(claim)
        finally:
            try:
                self._flush()
            finally:
                self._hang_up()

    # --- what the run's own line does otherwise

    def _nothing_left(self) -> bool:
        """Nothing is to be had now; whether to look again."""
        return False

    def _before(self) -> None:
        """Another message is about to go."""

    def _unreachable(self, error: RelayError) -> None:
        """A further connection is one too many for this relay: the others go on."""
        self.turned_away = True

    def _may_work(self) -> bool:
        return not (self.desk.ended or self.desk.alone or self.turned_away)

    # --- one delivery

    def _next(self) -> Claim | None:
        while self._may_work():
            self.desk.beat()
            at = self.desk.may_send_at()
            if self.desk.ended:
                return None
            if at is not None:
                self._rest(at)
                if not self.desk.wait_until(at):
                    return None
            elif (claim := self.desk.take()) is not None:
                return claim
            else:
                self._flush()
                if not self._nothing_left():
                    return None
        return None

    def _one(self, claim: Claim) -> None:
        try:
            self._before()
            wire = self._open()
            if wire is None:
                self.desk.put_back(claim)
                return
            envelope, message = self._compose_for(claim)
        except BaseException:
            self.desk.put_back(claim)
            raise
        if self._marked(claim):
            self._send(wire, claim, envelope, message)

    def _marked(self, claim: Claim) -> bool:
        """Commit what is unrecorded together with the mark of this delivery."""
        try:
            [answer] = self.desk.book.turn(self._unrecorded, [claim])
        except BaseException:
            with suppress(Exception):
                self.desk.ledger.release(claim, self.desk.clock())
            raise
        self._unrecorded = []
        if answer.kind != "go":
            self.desk.told_no(claim, answer)
        return answer.kind == "go"

    def _send(self, wire: Wire, claim: Claim, envelope: Envelope, message: bytes) -> None:
        outcome: Outcome | None = None
        epoch = self.desk.epoch
        try:
            outcome = wire.send(envelope, message)
            verdict = self.desk.verdict(claim, outcome)
            self._unrecorded = [(claim, self.desk.written(verdict))]
            if self.desk.alone or verdict.state is not DeliveryState.SENT:
                self._flush()
        except BaseException:
            # Also Ctrl-C: whatever the ledger can still take down is better than "sending".
            with suppress(Exception):
                if outcome is None and wire.in_body:
                    outcome = LostInBody("the program was interrupted while the message was sent")
                self._save(claim, outcome)
            raise
        self._carried += 1
        self.desk.count(claim, verdict)
        self.desk.mind_the_first_ten(claim, verdict)
        self._mind_the_relay(wire, outcome, verdict, epoch)

    def _save(self, claim: Claim, outcome: Outcome | None) -> None:
        """Leave nothing in sending that has an outcome or was not on the wire."""
        self._unrecorded = []
        if outcome is None:
            self.desk.ledger.release(claim, self.desk.clock())
        else:
            verdict = self.desk.verdict(claim, outcome)
            self.desk.book.turn([(claim, replace(verdict, suppress=False))], [])

    def _flush(self) -> None:
        """Write down what is unrecorded now, without waiting for the next mark."""
        if self._unrecorded:
            self.desk.book.turn(self._unrecorded, [])
            self._unrecorded = []

    # --- the connection

    def _open(self) -> Wire | None:
        if self._wire is None:
            self._flush()
            try:
                self._wire = self._connect()
                self._connected_once = True
                self._carried = 0
            except RelayError as error:
                self._unreachable(error)
        return self._wire

    def _mind_the_relay(self, wire: Wire, outcome: Outcome, verdict: Verdict, epoch: int) -> None:
        """Leave a broken connection; slow down for a relay that struggles; stop for a dead one."""
        most = self.desk.terms.messages_per_connection
        if wire.broken or (most and self._carried >= most):
            self._hang_up()
        if isinstance(outcome, LostBeforeBody | LostInBody):
            self.desk.lost(outcome.reason, epoch)
        elif not isinstance(outcome, CannotCarry):
            self.desk.answered(verdict)

    def _rest(self, at: datetime) -> None:
        """Nothing goes before `at`: write down what there is, and keep no relay waiting."""
        self._flush()
        if (at - self.desk.clock()).total_seconds() > _IDLE:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None


class FirstLine(Line):
    """The run's own line: it goes first, calls the others when it is safe, and waits for them."""

    def __init__(self, desk: Desk, connect: Callable[[], Wire], compose_for: Compose) -> None:
        """Work for `desk`, with as many others as its terms allow."""
        super().__init__(desk, connect, compose_for)
        self._others: list[threading.Thread] = []
        self._most = desk.terms.connections - 1

    def work(self) -> None:
        """Send until nothing is left, or something says stop; the others have ended then."""
        try:
            super().work()
        except BaseException as error:
            self.desk.fail(error)
        finally:
            self._join()

    def _may_work(self) -> bool:
        return not self.desk.ended

    def _before(self) -> None:
        """Call another line when there is work for it."""
        self._others = [one for one in self._others if one.is_alive()]
        busy = len(self._others)
        if not self.desk.alone and busy < self._most and len(self.desk.leases) > busy:
            thread = threading.Thread(target=self._other, name=f"line {busy + 2}", daemon=True)
            self._others.append(thread)
            thread.start()

    def _other(self) -> None:
        line = Line(self.desk, self._connect, self._compose_for)
        try:
            line.work()
        except BaseException as error:
            self.desk.fail(error)
        if line.turned_away and self.desk.failures == 0:
            self._most -= 1  # the relay takes fewer connections than we were told

    def _nothing_left(self) -> bool:
        if any(thread.is_alive() for thread in self._others):
            self._join()
            return True
        return self.desk.wait_for_deferred(self._rest)

    def _join(self) -> None:
        for thread in self._others:
            while thread.is_alive():
                thread.join(1.0)
                with suppress(Exception):
                    self.desk.beat()
        self._others = []

    def _unreachable(self, error: RelayError) -> None:
        """The very first failure of all is raised; later ones are waited for, then stop the run."""
        if not self._connected_once:
            raise error
        self.desk.unreachable(str(error), lasting=not isinstance(error, RelayUnreachable))
