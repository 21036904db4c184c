"""What dispatch needs of others, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from upcycle_news.model import Claim, Envelope, Verdict
from upcycle_news.postroom.outcomes import Outcome


class Ledger(Protocol):
    """Where deliveries are remembered; the store fulfils it. Every method commits."""

    def claim(self, now: datetime) -> Claim | None:
        """Move one queued or due deferred delivery to sending, atomically, and return it.

        People who are suppressed or have left since, and cancelled issues, are settled on the way
        and never returned; a paused issue gives None. Committed before it returns.
        """

    def record(self, claim: Claim, verdict: Verdict, now: datetime) -> None:
        """Write down the verdict, and the suppression if it says so.

        May be called again for a claim of this run, whatever state the delivery is in by then:
        the last state counts, and a suppression is only ever added. The guard of the first ten
        adds suppressions later or puts refused deliveries back to queued that way.
        """

    def release(self, claim: Claim, now: datetime) -> None:
        """Back to queued as if it had not been claimed: nothing was on the wire."""

    def next_due(self) -> datetime | None:
        """When the earliest deferred delivery is due; None when none is deferred."""

    def heartbeat(self, now: datetime) -> None:
        """Note that the sender is alive; called every half minute, while sending and waiting."""


class Wire(Protocol):
    """One connection to the relay, as `smtp.Connection` is."""

    @property
    def broken(self) -> bool:
        """Whether the connection can carry no further message."""

    @property
    def in_body(self) -> bool:
        """Whether a byte of the latest message's body may have left."""

    def send(self, envelope: Envelope, message: bytes) -> Outcome:
        """Hand one message over; never raises for what the relay does."""

    def close(self) -> None:
        """Say goodbye; never raises."""


@dataclass(frozen=True)
class Patience:
    """How long a run waits. Seconds.

    `deferred`: at the most until a deferred delivery is due; 0 leaves it to the next run.
    `failures`: connections in a row that fail or break without an answer before the run stops.
    `reconnect`: the pause after the first such failure; it doubles up to a minute.
    """

    deferred: float = 0.0
    failures: int = 5
    reconnect: float = 1.0


@dataclass(frozen=True)
class DeliveryReport:
    """What a run did. `deferred` counts deliveries that are deferred at its end.

    `stopped` is a sentence when the run ended although it could have gone on; `next_due` is when
    a further run has something to do.
    """

    sent: int = 0
    deferred: int = 0
    rejected: int = 0
    unknown: int = 0
    stopped: str | None = None
    next_due: datetime | None = None
