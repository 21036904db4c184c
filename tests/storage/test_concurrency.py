"""What happens twice, or at the same moment, in SQLite and Postgres."""

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
from upcycle_news.storage.signups import AddressStatus, Signup

NOW = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
ANNA = EmailAddress.parse("anna@example.org")


def sign_up(store: Store, meanwhile: threading.Thread | None = None) -> Signup | None:
    def may_ask(address_status: AddressStatus) -> bool:
        if meanwhile is not None:
            meanwhile.start()
            meanwhile.join(1)  # it waits for our transaction, or it would end
        return address_status.asked_at is None

    return signups.start_signup(
        store, ANNA, may_ask=may_ask, language="de", source="web", wording="", ip="", now=NOW
    )


@pytest.mark.slow
@pytest.mark.parametrize("known", [False, True])
def test_two_concurrent_sign_ups_send_one_mail(any_store: str, known: bool) -> None:
    store = open_store(any_store)
    if known:
        subscribers.add_subscribers(
            store, [subscribers.NewSubscriber(ANNA)], source="x", now=NOW, dry_run=False
        )
        (anna,) = subscribers.all_subscribers(store)
        assert subscribers.unsubscribe(store, anna, now=NOW)
    results: list[Signup | None] = []
    thread = threading.Thread(target=lambda: results.append(sign_up(store)))
    first = sign_up(store, thread)
    thread.join()
    store.close()
    assert len(results) == 1  # it did not raise
    assert len([signup for signup in (first, *results) if signup is not None]) == 1


def test_a_suppression_is_replaced_only_by_a_stronger_reason(any_store: str) -> None:
    store = open_store(any_store)

    def suppressed(reason: str) -> tuple[int, str]:
        new = suppressions.suppress_all(store, [ANNA.key], reason=reason, detail="", now=NOW)
        (suppression,) = suppressions.all_suppressions(store)
        return new, suppression.reason

    assert suppressed("unsubscribed") == (1, "unsubscribed")
    assert suppressed("complaint") == (1, "complaint")
    assert suppressed("by hand") == (0, "complaint")
    assert suppressed("forgotten") == (0, "complaint")
    store.close()


def test_an_alert_is_reported_once_until_it_is_cleared(any_store: str) -> None:
    store = open_store(any_store)
    opened = [alerts.alert_once(store, "relay", "main", now=NOW) for _ in range(2)]
    alerts.clear_alert(store, "relay", "main")
    opened.append(alerts.alert_once(store, "relay", "main", now=NOW))
    store.close()
    assert opened == [True, False, True]
