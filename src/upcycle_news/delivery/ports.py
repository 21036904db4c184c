"""What dispatch needs of others, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from upcycle_news.mail.dot_stuffing import DotStuffedMessage
from upcycle_news.models import (
    ClaimResult,
    Envelope,
    LeasedDelivery,
    Verdict,
)
from upcycle_news.transports.outcomes import Outcome

Record = tuple[LeasedDelivery, Verdict]


class Ledger(Protocol):
    """Where deliveries are remembered; the store fulfils it. Every method commits."""

    def lease(self, limit: int, now: datetime) -> Sequence[LeasedDelivery]:
        """Reserve up to `limit` deliveries, queued ones and deferred ones that are due.

        A lease is nothing yet: after a death the delivery is simply in the queue again. Empty
        when nothing is to be had now, or the issue is paused, stopped or cancelled.
        """

    def release_leases(self, claims: Sequence[LeasedDelivery]) -> None:
        """End leases that were not used."""

    def commit(
        self, records: Sequence[Record], marks: Sequence[LeasedDelivery], now: datetime
    ) -> Sequence[ClaimResult]:
        """Write down verdicts, and mark leased deliveries as sending; one commit for all.

        Answers each mark. Who is suppressed or has left is settled here, at the moment of
        sending, and a quota is counted. A verdict may be recorded again for a claim of this run,
        whatever state the delivery is in by then: the last state counts, and a suppression is
        only ever added. The guard of the first ten adds suppressions later or puts refused
        deliveries back to queued that way.
        """

    def return_unsent(self, claim: LeasedDelivery, now: datetime) -> None:
        """Back to queued as if it had not been marked: nothing was on the wire."""

    def next_due(self) -> datetime | None:
        """When the earliest deferred delivery is due; None when none is deferred."""

    def heartbeat(self, now: datetime) -> None:
        """Note that the sender is alive; called every half minute, while sending and waiting."""


class Transport(Protocol):
    """One connection to the relay, as `smtp.Connection` is."""

    @property
    def broken(self) -> bool:
        """Whether the connection can carry no further message."""

    @property
    def in_body(self) -> bool:
        """Whether a byte of the latest message's body may have left."""

    @property
    def writing(self) -> bool:
        """Whether it waits until more can be written, not only for the relay's answer."""

    @property
    def deadline(self) -> float:
        """When the relay has been silent for too long, in the seconds of `time.monotonic`."""

    def fileno(self) -> int:
        """The socket to wait for."""

    def begin(self, envelope: Envelope, message: bytes | DotStuffedMessage) -> Outcome | None:
        """Start handing a message over; an outcome if it has one already.

        Neither this nor what follows ever raises for what the relay does, or waits for it.
        """

    def advance(self) -> Outcome | None:
        """The socket is ready: go on."""

    def expire(self) -> Outcome | None:
        """The deadline has passed."""

    def close(self) -> None:
        """Say goodbye; never raises."""


@dataclass(frozen=True)
class WaitLimits:
    """How long a run waits. Seconds.

    `deferred`: at the most until a deferred delivery is due; 0 leaves it to the next run.
    `quota`: at the most for a quota or the window, each time; longer waits are left to the next
    run. `failures`: connections in a row that fail or break without an answer before the run
    stops. `reconnect`: the pause after the first such failure; it doubles up to a minute.
    """

    deferred: float = 0.0
    quota: float = 60.0
    failures: int = 5
    reconnect: float = 1.0


@dataclass(frozen=True)
class SendLimits:
    """Under what terms a run may send.

    `connections` at the most at the same time; `messages_per_connection` before a new one is
    opened, 0 for any number; `opens` tells when the send window opens, None while it is open;
    `too_late` is when the issue is too old to be sent.
    """

    connections: int = 1
    messages_per_connection: int = 0
    next_opening: Callable[[datetime], datetime | None] = lambda _: None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class DeliveryReport:
    """What a run did. `deferred` counts deliveries that are deferred at its end.

    `stopped` is a sentence when the run ended although it could have gone on, `relay_gone` says
    that it was because no connection held; `next_due` is when a further run has something to do.
    """

    sent: int = 0
    deferred: int = 0
    rejected: int = 0
    unknown: int = 0
    stopped: str | None = None
    relay_gone: bool = False
    next_due: datetime | None = None
