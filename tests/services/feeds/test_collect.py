"""Collecting feeds: health, back-off, redirects, Retry-After, and the reports for editors."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from upcycle_news.feeds.results import Failed, NotModified, Validators
from upcycle_news.models import DeliveryState, Feed, IssueState, IssueStatus
from upcycle_news.services.feeds.collect import collect_feeds
from upcycle_news.services.feeds.health import (
    after_failure,
    after_success,
    health_summary,
    skip_reason,
    validators,
)
from upcycle_news.services.runs import results
from upcycle_news.storage import feeds as feed_rows
from upcycle_news.storage.feeds import FeedState

from ...feeds.feed_site import site

NOW = datetime(2026, 11, 26, 7, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FEED = Feed("Blatt", "http://blatt.example/feed")
HEALTHY = FeedState(FEED.url, FEED.name, etag='"1"', tried_at=NOW, succeeded_at=NOW, full_at=NOW)


@pytest.fixture
def web():
    with site() as server:
        yield server


def failed(status=500, reason="the server answered 500", retry_after=None) -> Failed:
    return Failed(FEED, NOW, FEED.url, reason, status, retry_after)


def not_modified(moved_to=None, status=304) -> NotModified:
    return NotModified(FEED, NOW, FEED.url, status, Validators('"1"'), moved_to)


def reason_to_skip(state, now, refresh=50 * timedelta(minutes=1)):
    return skip_reason(FEED, state, {}, refresh, now)


def test_the_backoff_of_a_failing_feed_doubles_up_to_a_week():
    state, now, pauses = HEALTHY, NOW, []
    for _ in range(14):
        state = after_failure(state, failed(), HOUR, now)
        pauses.append(state.next_at - now)
        assert reason_to_skip(state, state.next_at - timedelta(seconds=1)).startswith("failed")
        now = state.next_at
        assert reason_to_skip(state, now) is None
    assert pauses[:3] == [HOUR, 2 * HOUR, 4 * HOUR]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 7 * DAY
    assert health_summary(FEED, state, now) == (
        "failed 14 times in a row: the server answered 500 (last success 2026-11-26 07:00 UTC); "
        f"tried again at {now:%Y-%m-%d %H:%M} UTC"
    )
    assert after_success(state, not_modified(), now).errors == 0


def test_a_healthy_feed_is_skipped_without_a_reason_until_it_is_due():
    assert reason_to_skip(HEALTHY, NOW + timedelta(minutes=10)) == ""
    assert reason_to_skip(HEALTHY, NOW + HOUR) is None
    assert reason_to_skip(None, NOW) is None


def test_a_feed_closed_for_good_is_stopped_with_its_reason():
    state = after_failure(HEALTHY, failed(410, "closed for good (410)"), HOUR, NOW)
    assert state.stopped
    assert reason_to_skip(state, NOW + 365 * DAY) == "stopped: closed for good (410)"
    assert health_summary(FEED, state, NOW) == "stopped: closed for good (410)"


def test_a_permanent_redirect_is_followed_after_seven_days():
    target = "http://neu.example/feed"
    state = HEALTHY
    for day in range(7):
        state = after_success(state, not_modified(target), NOW + day * DAY)
        assert (state.address, state.moved_to) == ("", target)
    assert "redirected to http://neu.example/feed since 2026-11-26" in health_summary(
        FEED, state, NOW
    )
    state = after_success(state, not_modified(target), NOW + 7 * DAY)
    assert state.address == target
    assert 'write url = "http://neu.example/feed"' in health_summary(FEED, state, NOW)


def test_a_redirect_whose_target_changes_is_not_followed():
    state = after_success(HEALTHY, not_modified("http://a.example/"), NOW)
    state = after_success(state, not_modified("http://b.example/"), NOW + 6 * DAY)
    state = after_success(state, not_modified("http://b.example/"), NOW + 8 * DAY)
    assert (state.address, state.moved_since) == ("", NOW + 6 * DAY)
    assert after_success(state, not_modified(), NOW + 9 * DAY).moved_to == ""


def test_a_redirect_to_https_is_followed_at_once():
    assert after_success(HEALTHY, not_modified("https://blatt.example/feed"), NOW).address == (
        "https://blatt.example/feed"
    )


@pytest.mark.parametrize("status", [404, 410])
def test_a_redirect_is_followed_when_the_old_address_is_gone(status):
    redirected = after_success(HEALTHY, not_modified("http://neu.example/feed"), NOW)
    state = after_failure(redirected, failed(status, "the server answered it; check"), HOUR, NOW)
    assert (state.address, state.stopped) == ("http://neu.example/feed", False)
    assert reason_to_skip(state, NOW + HOUR) is None
    assert "it moved to http://neu.example/feed" in state.last_error
    restored = after_failure(state, failed(404), HOUR, NOW + HOUR)
    assert restored.address == ""


def test_a_host_that_sent_retry_after_gets_no_requests_until_then(web, publication, clock):
    listed(publication, web, "/status/429?a", "/status/429?b", "/plain")
    report = collect(publication)
    assert [name for name, _ in report.failed] == ["feed0"]
    assert [name for name, _ in report.waiting] == ["feed1", "feed2"]
    assert "no requests until 2026-11-26" in report.waiting[0][1]
    assert len(web.requests) == 1
    collect(publication, everything=True)
    assert len(web.requests) == 1
    clock.now += timedelta(seconds=121)
    collect(publication, everything=True)
    assert len(web.requests) == 2


def test_once_a_month_a_feed_is_fetched_without_validators():
    assert validators(HEALTHY, NOW + 29 * DAY).etag == '"1"'
    assert validators(HEALTHY, NOW + 30 * DAY).etag is None
    assert after_success(HEALTHY, not_modified(status=304), NOW + 9 * DAY).full_at == NOW
    assert after_success(HEALTHY, not_modified(status=200), NOW + 9 * DAY).full_at == NOW + 9 * DAY


def listed(publication, web, *paths, extra=""):
    (publication.home / "content/feeds.toml").write_text(
        "\n".join(
            f'[[feeds]]\nname = "feed{n}"\nurl = "{path if "://" in path else web.url + path}"\n'
            for n, path in enumerate(paths)
        )
        + extra,
        encoding="utf-8",
    )


def collect(publication, **more):
    settings = publication.context().settings
    feeds = settings.feeds.model_copy(update={"allow_private": True, "deadline_seconds": 2.0})
    context = publication.context()
    context = type(context)(settings.model_copy(update={"feeds": feeds}), context.clock)
    with context:
        return collect_feeds(context, **more)


def test_failing_feeds_are_reported_and_retried_later(web, publication, clock):
    listed(
        publication, web, "/etag", "/plain", "/status/500", "/status/410", "/endless", "/short",
        "/hop/2", "http://127.0.0.1:1/",
    )  # fmt: skip
    first = collect(publication)
    assert (first.asked, first.unchanged, len(first.failed)) == (8, 0, 5)
    second = collect(publication, everything=True)
    assert {name for name, _ in second.waiting} == {"feed3"}  # the closed one
    assert (second.asked, second.unchanged) == (7, 3)
    clock.now += timedelta(hours=1)
    third = collect(publication)
    assert {name for name, _ in third.waiting} == {"feed2", "feed3", "feed4", "feed5", "feed7"}
    assert "failed 2 times in a row: the server answered 500" in dict(third.waiting)["feed2"]
    health = {row["name"]: row for row in publication.run("feeds", "health", "--json").lines}
    assert health["feed3"]["stopped"]
    assert health["feed2"]["errors"] == 2
    assert "has no entry at all" in health["feed0"]["health"]
    result = results.collection_result(third)
    assert "feed3 waits: stopped: the publisher has closed it for good" in result.message
    sent = IssueStatus("2026-11-26", "", 1, {DeliveryState.SENT: 1}, IssueState.CLOSED)
    assert "feed2" in results.publish_result(sent, third).message


def test_a_stopped_feed_is_fetched_again_by_name(web, publication):
    listed(publication, web, "/status/410")
    collect(publication)
    assert collect(publication).asked == 0
    assert collect(publication, names=["feed0"]).asked == 1
    assert (
        "Einen Feed „x“ gibt es in feeds.toml nicht"
        in publication.run("feeds", "collect", "x", code=1).err
    )


def test_failing_feeds_are_shown_in_the_preview_and_at_approval(web, publication, clock):
    publication.write_essay("leerstand")
    listed(publication, web, "/status/500")
    collect(publication)
    preview = publication.run(
        "issue", "preview", "2026-11-26", "--no-collect", "--no-open", "--json"
    )
    (finding,) = [row for row in preview.json["findings"] if row["code"] == "feed-silent"]
    assert finding["where"] == "feed0"
    assert "Der Server antwortete: 500" in finding["message"]
    page = (publication.home / "var/issues/2026-11-26/preview.html").read_text(encoding="utf-8")
    assert "Der Server antwortete: 500" in page
    approved = publication.run("issue", "approve", "2026-11-26")
    assert "feed0: hat einmal nicht geantwortet (noch nie gelungen)" in approved.err


def git(*arguments, cwd):
    subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c",
         "init.defaultBranch=main", *arguments],
        cwd=cwd, check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def checkout(publication, tmp_path):
    """Make the publication a checkout with an upstream; return a clone that can push to it."""
    upstream, clone = tmp_path / "upstream.git", tmp_path / "clone"
    git("init", "--bare", str(upstream), cwd=tmp_path)
    git("init", cwd=publication.home)
    git("add", "content", "newsletter.toml", cwd=publication.home)
    git("commit", "-m", "one", cwd=publication.home)
    git("remote", "add", "origin", str(upstream), cwd=publication.home)
    git("push", "-u", "origin", "main", cwd=publication.home)
    git("clone", str(upstream), str(clone), cwd=tmp_path)
    return clone


def push(clone):
    (clone / "content/essays").mkdir(parents=True, exist_ok=True)
    essay = "---\ntitle: Neu\ndate: 2026-11-25\n---\n\nEin Text.\n"
    (clone / "content/essays/neu.md").write_text(essay, encoding="utf-8")
    git("add", ".", cwd=clone)
    git("commit", "-m", "two", cwd=clone)
    git("push", cwd=clone)


def test_what_an_editor_pushed_is_in_the_next_issue(publication, checkout):
    push(checkout)
    assert collect(publication).pull == ""
    assert (publication.home / "content/essays/neu.md").exists()


def test_a_failed_pull_degrades_the_run_and_is_shown_at_approval(publication, checkout):
    push(checkout)
    publication.write_essay("leerstand")
    (publication.home / "content/essays/neu.md").write_text("hier geändert", encoding="utf-8")
    report = collect(publication)
    assert report.pull == (
        "git pull failed (files here were changed and not committed); the content may be old"
    )
    assert results.collection_result(report).name == "Degraded"
    (publication.home / "content/essays/neu.md").unlink()
    publication.run("issue", "preview", "2026-11-26", "--no-collect", "--no-open")
    assert "git pull ging nicht" in publication.run("issue", "approve", "2026-11-26").err


def test_content_outside_git_is_collected_without_a_pull(publication):
    assert collect(publication).pull == ""


def test_a_guid_reused_for_another_page_is_another_item(publication, tmp_path):
    def body(link, title):
        return (
            '<?xml version="1.0"?><rss version="2.0"><channel><title>x</title><item><guid>1</guid>'
            f"<title>{title}</title><link>{link}</link></item></channel></rss>"
        ).encode()

    with site() as server:
        listed(publication, server, "/plain")
        pages = [("https://x.example/1", "Eins"), ("https://x.example/2", "Zwei"),
                 ("https://x.example/2", "Zwei, neu"), ("https://x.example/1b", "Eins")]  # fmt: skip
        counts = []
        for link, title in pages:
            server.feed = body(link, title)
            counts.append(collect(publication, everything=True).items)
        assert counts == [1, 1, 0, 0]
        context = publication.context()
        stored = feed_rows.items_since(context.store, datetime(2000, 1, 1, tzinfo=UTC))
        assert {row.item.title for row in stored} == {"Eins", "Zwei, neu"}
