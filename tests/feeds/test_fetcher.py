"""Fetching feeds: conditional requests, redirects, limits, deadlines, private networks, throttling."""

import socket
import threading
from datetime import UTC, datetime, timedelta

import pytest

from upcycle_news.feeds.fetcher import fetch_feeds
from upcycle_news.feeds.results import Failed, Fetched, FetchLimits, NotModified, Validators
from upcycle_news.i18n.recognition import recognise
from upcycle_news.models import Feed

from .feed_site import FEED, MIB, site

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
AGENT = "upcycle_news (+https://upcycle.example/kontakt)"


@pytest.fixture(scope="module")
def web():
    with site() as server:
        yield server


def fetch(web, *paths, stored=None, allow_private=True, **limits):
    feeds = [Feed(path, path if path.startswith("http") else web.url + path) for path in paths]
    validators = {feeds[0].url: stored} if stored else {}
    return fetch_feeds(
        feeds, validators, user_agent=AGENT, allow_private=allow_private, now=NOW,
        limits=FetchLimits(**{"seconds": 5.0, "wait_seconds": 2.0, **limits}),
    )  # fmt: skip


def failure(web, path, **more) -> Failed:
    (result,) = fetch(web, path, **more)
    assert isinstance(result, Failed), result
    assert recognise(result.reason, "feeds").key != "untranslated", "it has no German"
    return result


def test_a_fetched_feed_has_its_body_type_url_and_validators(web):
    (result,) = fetch(web, "/plain")
    assert isinstance(result, Fetched)
    assert (result.body, result.status, result.at) == (FEED, 200, NOW)
    assert result.content_type == "application/rss+xml; charset=utf-8"
    assert result.url == web.url + "/plain"
    assert result.moved_to is None
    assert len(result.validators.body_hash) == 64
    path, headers = web.requests[-1]
    assert (path, headers["User-Agent"], headers["Accept-Encoding"]) == ("/plain", AGENT, "gzip")


def test_a_feed_that_has_not_changed_is_not_sent_again(web):
    (first,) = fetch(web, "/etag")
    (second,) = fetch(web, "/etag", stored=first.validators)
    assert isinstance(second, NotModified)
    assert second.status == 304
    assert web.requests[-1][1]["If-None-Match"] == '"eins"'
    assert web.requests[-1][1]["If-Modified-Since"] == "Mon, 05 Oct 2026 08:00:00 GMT"
    assert second.validators.etag == '"zwei"'
    assert second.validators.body_hash == first.validators.body_hash


def test_a_body_that_is_the_same_counts_as_not_modified(web):
    (first,) = fetch(web, "/plain")
    (second,) = fetch(web, "/plain", stored=first.validators)
    assert isinstance(second, NotModified)
    assert second.status == 200


def test_a_304_to_an_unconditional_request_is_a_failure(web):
    assert failure(web, "/status/304").reason == "the server answered 304 Not Modified"


@pytest.mark.parametrize("path", ["/gzip", "/deflate", "/notgzip"])
def test_compressed_feeds_are_unpacked(web, path):
    (result,) = fetch(web, path)
    assert isinstance(result, Fetched), result
    assert result.body == FEED


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/status/404", "the server answered 404 Not Found; check its address"),
        ("/status/500", "the server answered 500 Internal Server Error"),
        ("/status/599", "the server answered 599"),
        ("/status/410", "the publisher has closed it for good (410); remove it from feeds.toml"),
        ("/brotli", "it is encoded as 'br', which was not asked for"),
        ("/cutgzip", "the reply broke off: its compressed text has no end"),
        ("/short", f"the reply broke off: {len(FEED)} of 9999 bytes came"),
        ("/hop/6", "it is redirected more than 5 times"),
        ("/to302?file:///etc/passwd", "it is redirected to where we cannot go: the target is not http or https"),
        ("/to302?", "it is redirected, but the answer does not say where"),
        ("/to302?https://a:b@x.example/", "it is redirected to where we cannot go: the target carries a user name"),
        ("http://127.0.0.1:1/", "the server cannot be reached: it refuses the connection"),
        ("http://gibt.es.nicht.invalid/", "the server cannot be reached: its name is unknown"),
    ],
)  # fmt: skip
def test_the_reason_of_a_failure_is_one_sentence(web, path, reason):
    assert failure(web, path).reason == reason


def test_410_and_retry_after_are_reported(web):
    assert failure(web, "/status/410").gone
    busy = failure(web, "/status/429")
    assert (busy.status, busy.retry_after) == (429, NOW + timedelta(seconds=120))


def test_a_permanent_move_is_reported_until_the_first_temporary_one(web):
    (moved,) = fetch(web, "/hop/2")
    assert isinstance(moved, Fetched)
    assert (moved.url, moved.moved_to) == (web.url + "/hop/0", web.url + "/hop/0")
    (mixed,) = fetch(web, "/to301?/to302?/hop/1")
    assert (mixed.url, mixed.moved_to) == (web.url + "/hop/0", web.url + "/to302?/hop/1")
    (temporary,) = fetch(web, "/to307?/plain")
    assert temporary.moved_to is None


@pytest.mark.parametrize("path", ["/endless", "/bomb"])
def test_a_body_above_the_limit_is_not_read_to_its_end(web, path):
    assert failure(web, path, body_bytes=MIB).reason == "it is larger than 1 MiB"


@pytest.mark.parametrize("path", ["/drip", "/driphead"])
@pytest.mark.timeout(30)
def test_a_response_that_never_ends_byte_by_byte_is_given_up_at_the_deadline(web, path):
    assert failure(web, path, seconds=0.15).reason in (
        "it did not arrive within 0.15 seconds",
        "the server did not answer in time",
    )


def test_an_etag_that_could_not_be_sent_back_is_dropped(web):
    (result,) = fetch(web, "/badetag")
    assert result.validators.etag is None


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"]
)
def test_loopback_is_refused_in_every_notation(web, host):
    requests = len(web.requests)
    result = failure(web, f"http://{host}:{web.server_port}/plain", allow_private=False)
    assert result.reason.startswith("its name resolves to a private network")
    assert len(web.requests) == requests


def test_a_redirect_into_a_private_network_is_refused(web, monkeypatch):
    """The first hop counts as public here, the second does not."""
    real_getaddrinfo = socket.getaddrinfo
    monkeypatch.setattr(
        "upcycle_news.transports.http_guard.is_global", lambda address: address == "127.0.0.1"
    )
    monkeypatch.setattr(
        socket, "getaddrinfo",
        lambda host, *a, **k: real_getaddrinfo("127.0.0.2" if host == "inside.example" else "127.0.0.1", *a, **k),
    )  # fmt: skip
    start = f"http://public.example:{web.server_port}/to302?http://inside.example:{web.server_port}/plain"
    assert failure(web, start, allow_private=False).reason.startswith(
        "its name resolves to a private"
    )
    start = f"http://public.example:{web.server_port}/to302?http://public.example:{web.server_port}/plain"
    (result,) = fetch(web, start, allow_private=False, spacing_seconds=0.0)
    assert isinstance(result, Fetched)


LINK_LOCAL = (
    "169.254.169.254", "2852039166", "0251.0376.0251.0376", "0xa9fea9fe", "[fe80::1]", "[::ffff:169.254.169.254]",
    "[fd00:ec2::254]", "100.100.100.200",
)  # fmt: skip


@pytest.mark.parametrize("host", LINK_LOCAL)
def test_link_local_and_metadata_addresses_are_never_asked(web, host):
    result = failure(web, f"http://{host}/latest/meta-data/", allow_private=True)
    assert result.reason == "its name resolves to a link-local address, which is never asked"
    redirected = failure(web, f"/to302?http://{host}/latest/meta-data/", allow_private=True)
    assert redirected.reason == "its name resolves to a link-local address, which is never asked"


@pytest.mark.parametrize("host", ["0.0.0.0", "0", "[::]", "0177.0.0.1", "127.1", "[::7f00:1]"])
@pytest.mark.parametrize("allowed", [False, ["10.0.0.0/8"], ["localhost"], []])
def test_what_is_not_named_stays_closed_in_every_notation(web, host, allowed):
    result = failure(web, f"http://{host}:{web.server_port}/plain", allow_private=allowed)
    assert result.reason.startswith("its name resolves to a private network")


def test_named_hosts_and_networks_are_asked_and_no_others(web):
    local, number = f"http://localhost:{web.server_port}/plain", web.url + "/plain"
    assert isinstance(fetch(web, local, allow_private=["localhost"])[0], Fetched)
    assert isinstance(fetch(web, local, allow_private=["127.0.0.0/8", "::1"])[0], Fetched)
    assert isinstance(fetch(web, number, allow_private=["127.0.0.1"])[0], Fetched)
    assert isinstance(fetch(web, number, allow_private=["localhost"])[0], Failed)
    hop = f"http://localhost:{web.server_port}/to302?{number}"
    assert isinstance(fetch(web, hop, allow_private=["localhost"])[0], Failed)


def resolving(monkeypatch, *answers):
    """Let each look-up of a name find the next ones of `answers`; return the names looked up."""
    real, asked, left = socket.getaddrinfo, [], list(answers)

    def getaddrinfo(host, port, *more, **options):
        if not host.endswith(".example"):
            return real(host, port, *more, **options)
        asked.append(host)
        return [(2, 1, 6, "", (address, port)) for address in left.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(
        "upcycle_news.transports.http_guard.is_global", lambda address: address == "127.0.0.1"
    )
    return asked


def test_a_name_that_changes_its_address_between_check_and_connection_gains_nothing(
    web, monkeypatch
):
    asked = resolving(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    url = f"http://rebinding.example:{web.server_port}/plain"
    (result,) = fetch(web, url, allow_private=False)
    assert isinstance(result, Fetched), result
    assert asked == ["rebinding.example"]
    (again,) = fetch(web, url, allow_private=False)
    assert isinstance(again, Failed)


def test_of_several_addresses_only_the_public_ones_are_dialled(web, monkeypatch):
    resolving(monkeypatch, ["10.0.0.1", "169.254.169.254", "127.0.0.1"])
    dialled = []
    real_connect = socket.create_connection

    def connect(address, *more, **options):
        dialled.append(address[0])
        return real_connect(address, *more, **options)

    monkeypatch.setattr(socket, "create_connection", connect)
    (result,) = fetch(web, f"http://several.example:{web.server_port}/plain", allow_private=False)
    assert isinstance(result, Fetched), result
    assert dialled == ["127.0.0.1"]


def test_a_host_gets_one_request_at_a_time():
    with site() as server:
        results = fetch(server, *(f"/slow?{n}" for n in range(4)))
        assert [result.feed.name for result in results] == [f"/slow?{n}" for n in range(4)]
        assert server.busiest == 1


def test_hosts_are_requested_in_parallel(web):
    with site() as other:
        web.barrier = other.barrier = threading.Barrier(2)
        results = fetch(web, "/meet", other.url + "/meet")
    assert all(isinstance(result, Fetched) for result in results), results


def test_requests_to_a_public_host_are_spaced(web, monkeypatch):
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *a, **k: [(2, 1, 6, "", ("127.0.0.1", web.server_port))]
    )
    pauses = []
    monkeypatch.setattr("time.sleep", pauses.append)
    fetch(
        web,
        *(f"http://public.example:{web.server_port}/plain?{n}" for n in range(3)),
        spacing_seconds=600.0,
    )
    assert len(pauses) == 2
    assert all(0 < pause <= 600 for pause in pauses)


def test_inactive_feeds_are_not_requested(web):
    feed = Feed("x", web.url + "/plain", active=False)
    assert fetch_feeds([feed], {}, user_agent=AGENT, allow_private=True, now=NOW) == []


def test_a_proxy_of_the_environment_is_not_used(web, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert isinstance(fetch(web, "/plain")[0], Fetched)


def test_known_validators_are_sent_only_when_there_are_any(web):
    fetch(web, "/plain", stored=Validators(body_hash="x"))
    assert "If-None-Match" not in web.requests[-1][1]
