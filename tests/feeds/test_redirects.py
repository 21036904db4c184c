"""Redirects as browsers follow them: odd Locations, and cookies that live as long as their chain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from upcycle_news.feeds.cookies import RedirectCookies
from upcycle_news.feeds.fetcher import fetch_feeds
from upcycle_news.feeds.results import Failed, Fetched, FetchLimits
from upcycle_news.models import Feed

from .feed_site import FEED
from .raw_site import Answers, answer, raw_site

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def fetch(*urls: str) -> list[Fetched | Failed]:
    results = fetch_feeds(
        [Feed(url, url) for url in urls], {}, user_agent="x", allow_private=True, now=NOW,
        limits=FetchLimits(seconds=5.0, wait_seconds=2.0),
    )  # fmt: skip
    assert all(isinstance(result, Fetched | Failed) for result in results)
    return results  # type: ignore[return-value]


def redirecting(location: str | bytes) -> Answers:
    """Answer the first request with a redirect, any other with a feed."""
    field = location if isinstance(location, bytes) else location.encode()

    def answers(target: str, _: Mapping[str, str]) -> bytes:
        if target == "/start/feed?a=1":
            return answer("302 Found", b"Location: " + field)
        return answer("200 OK", body=FEED)

    return answers


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/größe", "/gr%C3%B6%C3%9Fe"),
        ("/größe".encode("latin-1"), "/gr%F6%DFe"),
        ("/gr%C3%B6%C3%9Fe", "/gr%C3%B6%C3%9Fe"),
        ("/a?ort=Köln&b=%20", "/a?ort=K%C3%B6ln&b=%20"),
        ("/zwei worte", "/zwei%20worte"),
        ("neben", "/start/neben"),
        ("?b=2", "/start/feed?b=2"),
        ("../oben", "/oben"),
        ("\\hof\\feed?a=\\b", "/hof/feed?a=%5Cb"),
        ("/seite#anker", "/seite"),
        ("日本/🌱", "/start/%E6%97%A5%E6%9C%AC/%F0%9F%8C%B1"),
    ],
)
def test_a_location_is_followed_as_browsers_read_it(location: str | bytes, target: str) -> None:
    with raw_site(redirecting(location)) as site:
        (result,) = fetch(site.url + "/start/feed?a=1")
        assert isinstance(result, Fetched), result
        assert site.targets == ["/start/feed?a=1", target]


def test_a_location_may_name_a_host_in_its_own_script() -> None:
    with raw_site(redirecting("http://größe.example/feed")) as site:
        (result,) = fetch(site.url + "/start/feed?a=1")
    assert isinstance(result, Failed)
    assert result.url == "http://xn--gre-6ka8i.example/feed"
    assert result.reason == "the server cannot be reached: its name is unknown"


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("", "it is redirected, but the answer does not say where"),
        ("javascript:alert(1)", "it is redirected to where we cannot go: the target is not http or https"),
        ("gopher://x.example/", "it is redirected to where we cannot go: the target is not http or https"),
        ("http://", "it is redirected to where we cannot go: the target names no host"),
        ("https:///feed", "it is redirected to where we cannot go: the target names no host"),
    ],
)  # fmt: skip
def test_a_location_that_leads_nowhere_is_told(location: str, reason: str) -> None:
    with raw_site(redirecting(location)) as site:
        (result,) = fetch(site.url + "/start/feed?a=1")
    assert isinstance(result, Failed)
    assert result.reason == reason


def gate(target: str, fields: Mapping[str, str]) -> bytes:
    """Answer as a site that lets nobody in without its cookie."""
    if "seen=1" in fields.get("cookie", ""):
        return answer("200 OK", body=FEED)
    return answer("302 Found", f"Location: {target}", "Set-Cookie: seen=1; Path=/; HttpOnly")


def test_a_cookie_is_shown_again_in_the_same_chain_and_never_in_another() -> None:
    with raw_site(gate) as site:
        results = fetch(site.url + "/a", site.url + "/b")
        assert all(isinstance(result, Fetched) for result in results), results
        assert [(target, fields.get("cookie")) for target, fields in site.requests] == [
            ("/a", None), ("/a", "seen=1"), ("/b", None), ("/b", "seen=1"),
        ]  # fmt: skip


def test_a_cookie_is_not_shown_to_a_second_host_and_is_there_again_on_the_way_back() -> None:
    def answers(target: str, fields: Mapping[str, str]) -> bytes:
        host = urlsplit(f"//{fields['host']}")
        if target == "/start":
            there = f"http://localhost:{host.port}/login"
            return answer("302 Found", f"Location: {there}", "Set-Cookie: a=1")
        if target == "/login":
            back = f"http://127.0.0.1:{host.port}/feed"
            return answer("302 Found", f"Location: {back}", "Set-Cookie: b=2")
        return answer("200 OK", body=FEED)

    with raw_site(answers) as site:
        (result,) = fetch(site.url + "/start")
        assert isinstance(result, Fetched), result
        assert [fields.get("cookie") for _, fields in site.requests] == [None, None, "a=1"]


def test_a_loop_of_redirects_ends_with_cookies_too() -> None:
    def answers(target: str, _: Mapping[str, str]) -> bytes:
        return answer("302 Found", f"Location: {target}", "Set-Cookie: n=1")

    with raw_site(answers) as site:
        (result,) = fetch(site.url + "/rund")
        assert isinstance(result, Failed)
        assert result.reason == "it is redirected more than 5 times"
        assert len(site.requests) == 6


@pytest.mark.parametrize(
    ("set_cookie", "url", "header"),
    [
        (["a=1"], "http://x.example/", "a=1"),
        (["a=1; Path=/konto"], "http://x.example/feed", ""),
        (["a=1; Path=/konto"], "http://x.example/konto/feed", "a=1"),
        (["a=1; Domain=x.example"], "http://x.example/", "a=1"),
        (["a=1; Domain=.x.example"], "http://www.x.example/", ""),
        (["a=1; Domain=y.example"], "http://y.example/", ""),
        (["a=1; Domain=y.example"], "http://x.example/", ""),
        (["a=1; Secure"], "http://x.example/", ""),
        (["a=1; Secure"], "https://x.example/", "a=1"),
        (["a=1", "a=2"], "http://x.example/", "a=2"),
        (["a=1", "b=2"], "http://x.example/", "a=1; b=2"),
        (["a=1", "a=; Max-Age=0"], "http://x.example/", ""),
        (["a=1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "http://x.example/", ""),
        (["a=1; Max-Age=60"], "http://x.example/", "a=1"),
        (["a=1\rX-Injected: 1"], "http://x.example/", ""),
        ([f"a={'x' * 9000}"], "http://x.example/", ""),
        (["=;=;", ""], "http://x.example/", ""),
    ],
)
def test_cookies_follow_rfc_6265(set_cookie: list[str], url: str, header: str) -> None:
    cookies = RedirectCookies()
    for value in set_cookie:
        cookies.store("http://x.example/start", [value.encode("latin-1")])
    assert cookies.header(url) == header


def test_a_request_is_never_two_lines() -> None:
    with raw_site(redirecting("/")) as site:
        (result,) = fetch(site.url + "/a b\r\nX-Injected: 1")
        assert isinstance(result, Failed)
        assert result.reason == "its address is not a web address"
        assert site.requests == []
