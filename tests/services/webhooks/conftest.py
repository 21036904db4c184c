from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.models import EventKind
from upcycle_news.services.webhooks.deliver import deliver
from upcycle_news.storage import event_log

from ...publications import Publication
from .receiver import Receiver, new_secret, running_receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture
def secret() -> str:
    return new_secret()


Open = Callable[..., AppContext]


@pytest.fixture
def open_context(publication: Publication, receiver: Receiver, secret: str) -> Open:
    """Open a context with the webhook crm, which has begun; settings of it by name."""

    def opened(store: str = "", **settings: str) -> AppContext:
        table = {"URL": receiver.url, "SECRET": secret, **settings}
        variables = {f"WEBHOOKS__CRM__{name}": value for name, value in table.items()}
        if store:
            variables["STORE"] = store
        context = publication.context(**variables)
        assert deliver(context) == ()
        return context

    return opened


@pytest.fixture
def context(open_context: Open) -> AppContext:
    return open_context()


def happen(context: AppContext, kind: EventKind, **about: Any) -> None:
    with context.store.writing() as connection:
        event_log.append(connection, kind, at=context.clock(), **about)
