"""Feeds over TLS: what is wrong with a certificate is said in words, and the name is still verified."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from upcycle_news.feeds import fetcher
from upcycle_news.feeds.fetcher import fetch_feeds
from upcycle_news.feeds.results import Failed, Fetched, FetchLimits
from upcycle_news.models import Feed

from ..transports.bad_relays import certificate
from .feed_site import FEED
from .raw_site import RawSite, answer, raw_site
from .test_hostile_bodies import raw_server

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def fetch(url: str) -> Fetched | Failed:
    (result,) = fetch_feeds(
        [Feed("x", url)], {}, user_agent="x", allow_private=True, now=NOW,
        limits=FetchLimits(seconds=5.0, wait_seconds=2.0),
    )  # fmt: skip
    assert isinstance(result, Fetched | Failed)
    return result


@contextmanager
def tls_site(folder: Path, name: str) -> Iterator[tuple[RawSite, Path]]:
    """Run a site with a certificate of its own for `name`; yield it and the certificate."""
    chain, key = certificate(folder, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with raw_site(lambda *_: answer("200 OK", body=FEED)) as site:
        site.socket = context.wrap_socket(site.socket, server_side=True)
        yield site, chain


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """Let the fetcher use a context of which the test says whom it trusts."""
    context = ssl.create_default_context()
    monkeypatch.setattr(fetcher, "_tls", lambda: context)
    yield context


def test_a_feed_over_tls_is_fetched_from_a_host_that_is_trusted(
    tmp_path: Path, trusting: ssl.SSLContext
) -> None:
    with tls_site(tmp_path, "localhost") as (site, chain):
        trusting.load_verify_locations(chain)
        result = fetch(f"https://localhost:{site.port}/feed")
        assert isinstance(result, Fetched), result
        assert result.body == FEED


def test_the_name_of_a_host_is_verified(tmp_path: Path, trusting: ssl.SSLContext) -> None:
    with tls_site(tmp_path, "anders.example") as (site, chain):
        trusting.load_verify_locations(chain)
        result = fetch(f"https://localhost:{site.port}/feed")
        assert isinstance(result, Failed)
        assert result.reason == "its certificate cannot be trusted: it is for another host"
        assert site.requests == []


def test_a_certificate_that_signs_itself_is_not_trusted(tmp_path: Path) -> None:
    with tls_site(tmp_path, "localhost") as (site, _):
        result = fetch(f"https://localhost:{site.port}/feed")
        assert isinstance(result, Failed)
        assert result.reason.startswith("its certificate cannot be trusted: it is signed by nobody")


def test_a_server_without_tls_is_told_from_one_with_a_bad_certificate() -> None:
    with raw_server(answer("400 Bad Request"), "close") as url:
        result = fetch(url.replace("http:", "https:"))
    assert isinstance(result, Failed)
    assert result.reason == (
        "the server does not speak TLS as we do: no encrypted connection could be made"
    )
