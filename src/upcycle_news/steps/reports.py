"""What the flows about people return: counts and sentences, never an address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from upcycle_news.newsroom import Newsroom
from upcycle_news.steps import bouncing, joining
from upcycle_news.steps.health import alarm_sentences


@dataclass(frozen=True)
class Told:
    """How a run ended: the name of its state and a sentence."""

    name: str
    message: str


def collect_bounces(room: Newsroom) -> dict[str, int]:
    """Handle the inbox; nothing to do where none is configured."""
    if not bouncing.has_inbox(room):
        return {}
    return bouncing.collect(room).as_dict()


def alarms(room: Newsroom) -> list[str]:
    """What has to be looked at."""
    return alarm_sentences(room)


def bounce_summary(counts: Mapping[str, int], alarmed: Sequence[str]) -> Told:
    """The state of the run: Degraded when there is an alarm."""
    parts = [f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count]
    message = ", ".join(parts) or ("the inbox is empty" if counts else "no inbox is configured")
    if alarmed:
        return Told("Degraded", f"{message}; {'; '.join(alarmed)}")
    return Told("Completed", message)


def tidy(room: Newsroom) -> dict[str, int]:
    """Delete what has had its time."""
    return asdict(joining.tidy(room))


def tidy_summary(counts: Mapping[str, int]) -> str:
    """One sentence."""
    return (
        f"{counts['unconfirmed']} unconfirmed sign-ups and {counts['reports']} old reports deleted, "
        f"{counts['mailed']} confirmations mailed"
    )
