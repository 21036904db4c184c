"""Whether a relay has become slow: its answers beside a limit, and beside those of earlier issues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from upcycle_news.model import IssueId
from upcycle_news.model.replies import Replies
from upcycle_news.newsroom import Newsroom
from upcycle_news.store import replies

ENOUGH = 20  # answers: fewer say nothing about a relay
EARLIER = 5  # issues that say what is usual
UNNOTICED = 0.25  # seconds: below this nobody minds, however fast it was before


def slow_relay(now: Replies, earlier: Sequence[Replies], *, seconds: float, factor: float) -> str:
    """Say in what way a relay is slow; empty when it is not, or when too little is known.

    It is when half of its answers take longer than `seconds`, or `factor` times as long as was
    usual in `earlier` issues. 0 turns either off.
    """
    if now.timed < ENOUGH:
        return ""
    told = f"half of its answers take longer than {now.median:.1f} s"
    if seconds and now.median > seconds:
        return f"{told} (alarm at {seconds:g} s)"
    usual = [one.median for one in earlier if one.timed >= ENOUGH]
    if not factor or not usual or now.median <= UNNOTICED:
        return ""
    before = median(usual)
    if now.median > factor * before:
        return f"{told}, in earlier issues {before:.2f} s (alarm at {factor:g} times that)"
    return ""


def slow_relays(room: Newsroom, issue: IssueId) -> Iterator[tuple[Replies, str]]:
    """The relays of an issue that are slow, each with its sentence."""
    told = room.settings.cockpit
    for one in replies.of_issue(room.store, issue):
        before = replies.earlier(room.store, issue, one.relay, EARLIER)
        sentence = slow_relay(
            one, before, seconds=told.slow_relay_seconds, factor=told.slow_relay_factor
        )
        if sentence:
            yield one, sentence
