"""What comes twice, or at the same moment, in both kinds of store."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from upcycle_news.models import EmailAddress
from upcycle_news.storage import (
    alerts,
    signups,
    subscribers,
    suppressions,
)
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.signups import Signup, AddressStatus

NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
ANNA = EmailAddress.parse("anna@example.org")


def sign_up(store: Store, meanwhile: threading.Thread | None = None) -> Signup | None:
    def may_ask(found: AddressStatus) -> bool:
        if meanwhile is not None:
            meanwhile.start()
            meanwhile.join(1)  # it waits for us, or it would be faster
        return found.asked_at is None

    return signups.start_signup(
        store, ANNA, may_ask=may_ask, language="de", source="web", wording="", ip="", now=NOW
    )


@pytest.mark.parametrize("known", [False, True])
def test_two_sign_ups_at_once_are_one_mail(any_store: str, known: bool) -> None:
    store = open_store(any_store)
    if known:
        subscribers.add_subscribers(
            store, [subscribers.NewSubscriber(ANNA)], source="x", now=NOW, dry_run=False
        )
        (anna,) = subscribers.all_subscribers(store)
        assert subscribers.unsubscribe(store, anna, now=NOW)
    other: list[Signup | None] = []
    thread = threading.Thread(target=lambda: other.append(sign_up(store)))
    mine = sign_up(store, thread)
    thread.join()
    store.close()
    assert len(other) == 1  # it did not fall over
    assert len([one for one in (mine, *other) if one is not None]) == 1


def test_a_suppression_becomes_stronger_and_never_weaker(any_store: str) -> None:
    store = open_store(any_store)

    def suppressed(reason: str) -> tuple[int, str]:
        new = suppressions.suppress_all(store, [ANNA.key], reason=reason, detail="", now=NOW)
        (one,) = suppressions.all_suppressions(store)
        return new, one.reason

    assert suppressed("unsubscribed") == (1, "unsubscribed")
    assert suppressed("complaint") == (1, "complaint")
    assert suppressed("by hand") == (0, "complaint")
    assert suppressed("forgotten") == (0, "complaint")
    store.close()


def test_an_alarm_rings_once_until_it_is_over(any_store: str) -> None:
    store = open_store(any_store)
    rung = [alerts.alert_once(store, "relay", "main", now=NOW) for _ in range(2)]
    alerts.clear_alert(store, "relay", "main")
    rung.append(alerts.alert_once(store, "relay", "main", now=NOW))
    store.close()
    assert rung == [True, False, True]
