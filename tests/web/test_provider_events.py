"""The address that providers post to: its secret, its bounds, and what it tells nobody."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.transports.sns import SnsClient
from upcycle_news.web.provider_events import MAX_EVENTS
from upcycle_news.web.rate_limit import RateLimit

from ..bounces.providers.posting import (
    POSTING,
    SECRET,
    Sample,
    certificate,
    sendgrid_headers,
    sns_message,
)
from ..bounces.test_process import ANNA, barred
from ..processes import free_port
from ..publications import Publication, add_confirmed_subscribers, send_issue
from .web_server import Response, WebServer, running_server

PATH = f"/events/here/{SECRET}"


@pytest.fixture
def context(publication: Publication) -> AppContext:
    """Anna has had an issue; SendGrid may post to `here`, SES to `amazon`, and `closed` has no secret."""
    made = publication.context(
        **POSTING["sendgrid"].environment(),
        **POSTING["ses"].environment("amazon"),
        EVENTS__CLOSED__PROVIDER="brevo",
    )
    made.__dict__["sns"] = SnsClient(lambda _: (200, certificate()))
    add_confirmed_subscribers(made, ANNA)
    publication.write_essay()
    assert send_issue(made).closed
    return made


@pytest.fixture
def server(context: AppContext) -> Iterator[WebServer]:
    with running_server(context, free_port()) as running:
        yield running


def bounce(context: AppContext) -> tuple[dict[str, str], str]:
    sample = Sample("hard", context.delivery_keys.key_for(1, 1), ANNA)
    [(headers, body)] = POSTING["sendgrid"].requests([sample], context.clock())
    return headers, body.decode()


def post(server: WebServer, path: str, posted: tuple[dict[str, str], str]) -> Response:
    headers = {name.replace("-", "_"): value for name, value in posted[0].items()}
    return server.request("POST", path, posted[1], **headers)


def test_a_bounce_that_a_provider_posts_suppresses(context: AppContext, server: WebServer) -> None:
    response = post(server, PATH, bounce(context))
    assert response.status == 200
    assert (json.loads(response.text)["hard"], json.loads(response.text)["suppressed"]) == (1, 1)
    assert barred(context, ANNA) == "hard bounce"
    assert ANNA not in response.text
    assert json.loads(post(server, PATH, bounce(context)).text)["known"] == 1


@pytest.mark.parametrize(
    "path",
    [
        f"/events/here/{SECRET}x", f"/events/here/{SECRET[:-1]}", f"/events/here/{SECRET.upper()}", f"/events/amazn/{SECRET}",
        f"/events/HERE/{SECRET}", "/events/closed/x", f"/events/here/%00{SECRET}", "/events/here/%ff", "/events/nobody/%00",
    ],
)  # fmt: skip
def test_without_the_secret_there_is_no_such_page(
    context: AppContext, server: WebServer, path: str
) -> None:
    missing = server.request("POST", "/events/nobody/anything", "x")
    response = post(server, path, bounce(context))
    assert (response.status, response.text) == (404, missing.text)
    assert barred(context, ANNA) is None


def test_another_form_of_the_address_and_another_method_do_nothing(
    context: AppContext, server: WebServer
) -> None:
    forms = ("/events/here/", "/events/here", f"/events/{SECRET}", "/events/closed/", f"{PATH}/", f"/events//{SECRET}")  # fmt: skip
    answers = [post(server, path, bounce(context)).status for path in forms]
    assert set(answers) <= {404, 405}
    assert server.get(PATH).status == 404
    assert barred(context, ANNA) is None


def test_a_wrong_secret_is_refused_before_the_body_is_read(server: WebServer) -> None:
    response = server.request(
        "POST", "/events/here/wrong", "", Content_Length=str(10 * MAX_EVENTS), Content_Type="x/y"
    )
    assert response.status == 404


def test_what_is_not_the_providers_is_refused_and_what_is_broken_too(
    context: AppContext, server: WebServer
) -> None:
    headers, body = bounce(context)
    assert post(server, PATH, (headers, body + " ")).status == 403
    broken = "[{}]"
    assert (
        post(server, PATH, (sendgrid_headers(broken.encode(), context.clock()), broken)).status
        == 400
    )
    assert barred(context, ANNA) is None


def test_what_cannot_be_verified_now_comes_again(context: AppContext, server: WebServer) -> None:
    context.__dict__["sns"] = SnsClient(lambda _: (500, b""))
    body = json.dumps(sns_message(context.clock()))
    response = server.request("POST", f"/events/amazon/{SECRET}", body)
    assert (response.status, response.headers["retry-after"]) == (503, "60")


def test_a_body_that_is_too_large_is_refused(server: WebServer) -> None:
    assert server.request("POST", PATH, "x" * (MAX_EVENTS + 1)).status == 413


def test_a_source_posts_so_many_requests_a_minute(
    publication: Publication, caplog: pytest.LogCaptureFixture
) -> None:
    context = publication.context(
        **POSTING["sendgrid"].environment(), EVENTS__HERE__REQUESTS_PER_MINUTE="3",
        **{f"{name}": value for name, value in POSTING["sendgrid"].environment("other").items()},
    )  # fmt: skip
    with running_server(context, free_port()) as server:
        codes = [server.request("POST", PATH, "x").status for _ in range(5)]
        assert codes == [403, 403, 403, 429, 429]
        assert server.request("POST", f"/events/other/{SECRET}", "x").status == 403
        assert server.request("POST", "/events/here/wrong", "x").status == 404


def test_a_limit_holds_in_any_span_of_its_time() -> None:
    now = [0.0]
    limit = RateLimit(2, 60.0, lambda: now[0])
    assert [limit.allows("a"), limit.allows("a"), limit.allows("a"), limit.allows("b")] == [True, True, False, True]  # fmt: skip
    now[0] = 59.9
    assert not limit.allows("a")
    now[0] = 60.0
    assert limit.allows("a")


def test_nothing_that_is_posted_is_logged(
    context: AppContext, server: WebServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        post(server, PATH, bounce(context))
        post(server, PATH, ({}, "broken"))
        post(server, f"/events/here/{SECRET}x", bounce(context))
        server.request("POST", PATH, "x" * (MAX_EVENTS + 1))
    assert "events received" in caplog.text
    for private in (SECRET, ANNA, "anna", "user unknown"):
        assert private not in caplog.text


def test_the_same_event_posted_by_several_at_once_counts_once(
    context: AppContext, server: WebServer
) -> None:
    posted = bounce(context)
    answers: list[Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(post(server, PATH, posted)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in answers] == [200] * 8
    assert sum(json.loads(answer.text)["hard"] for answer in answers) == 1
    assert sum(json.loads(answer.text)["known"] for answer in answers) == 7
