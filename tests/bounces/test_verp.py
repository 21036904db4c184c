from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.bounces.verp import BounceAddresses
from upcycle_news.errors import UpcycleError

OURS = BounceAddresses("bounces@example.org", b"k" * 32)


@given(st.integers(0, 10**6), st.integers(0, 10**12))
def test_a_bounce_names_its_delivery(issue: int, subscriber: int) -> None:
    address = OURS.address_for(issue, subscriber)
    assert OURS.read(address) == (issue, subscriber)
    assert OURS.read(f"<{address.upper()}>") == (issue, subscriber)
    assert len(address.rpartition("@")[0]) <= 64
    assert address.isascii()


def test_a_forged_or_foreign_bounce_address_is_refused() -> None:
    mine = OURS.address_for(3, 77)
    other = BounceAddresses("bounces@example.org", b"x" * 32).address_for(3, 77)
    for address in (
        other,
        mine.replace("+25-", "+26-"),
        mine.replace("example.org", "example.com"),
        mine.replace("bounces", "bounce"),
        mine[:-13] + "@example.org",
        "bounces@example.org",
        "",
        "bounces+--@example.org",
        "bounces+ü-1-x@example.org",
        "MAILER-DAEMON@example.org",
    ):
        with pytest.raises(UpcycleError, match="not a bounce address of ours"):
            OURS.read(address)


def test_an_address_without_room_for_a_signature_is_refused() -> None:
    with pytest.raises(UpcycleError, match="too long"):
        BounceAddresses("a" * 29 + "@example.org", b"k")
