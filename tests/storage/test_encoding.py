"""A Debian without locales makes databases of SQL_ASCII, and `createdb` says nothing about it."""

from __future__ import annotations

import psycopg
import pytest

from upcycle_news.models import EmailAddress
from upcycle_news.storage import subscribers
from upcycle_news.storage.database import open_store
from upcycle_news.storage.subscribers import NewSubscriber

from .sample_rows import NOW


@pytest.fixture
def bare_postgres(empty_postgres: str) -> str:
    plain = empty_postgres.replace("+psycopg", "")
    with psycopg.connect(plain.replace("/trial?", "/postgres?"), autocommit=True) as connection:
        connection.execute("DROP DATABASE trial WITH (FORCE)")
        connection.execute("CREATE DATABASE trial ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0")  # fmt: skip
    return empty_postgres


def test_a_database_without_a_locale_stores_names_unchanged(
    bare_postgres: str,
) -> None:
    store = open_store(bare_postgres)
    email, topics = EmailAddress.parse("jörg@example.org"), ("Bäume", 'a"b\\', "😀")
    new = NewSubscriber(email, name="Jörg Groß 😀", topics=topics)
    for added in (1, 0):
        report = subscribers.add_subscribers(
            store, [new], source="paper list", now=NOW, dry_run=False
        )
        assert (report.added, report.unchanged) == (added, 1 - added)
    store.close()
    again = open_store(bare_postgres)
    [stored] = subscribers.all_subscribers(again)
    assert (stored.email, stored.name, stored.topics) == (email, "Jörg Groß 😀", topics)
    [listed] = subscribers.listed_subscribers(again)
    assert (listed.name, listed.topics) == (stored.name, topics)
    again.close()
