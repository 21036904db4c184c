"""Who may do what over the HTTP API, and what is said to those who may not."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, select

from upcycle_news.models.api_tokens import ApiScope
from upcycle_news.services.api_tokens.tokens import PREFIX, hash_of
from upcycle_news.storage import schema
from upcycle_news.web.http_api.endpoint import OFF_SECONDS, HttpApi
from upcycle_news.web.http_api.openapi import ROOT
from upcycle_news.web.http_api.operations import OPERATIONS, Operation
from upcycle_news.web.http_api.requests import MAX_BODY

from ...publications import Publication, add_confirmed_subscribers
from ...storage.query_cost import query_cost
from .api_client import ALL_SCOPES, ANNA, ApiClient, api_client, problem

REVISION = "0" * 64
CONSENT = {"text": "Yes.", "source": "form", "given_at": "2026-11-01T10:00:00Z"}
BODIES: dict[str, dict[str, Any]] = {
    "addSubscriber": {"email": "neu@example.org", "source": "form"},
    "addConfirmedSubscriber": {"email": "mitglied@example.org", "consent": CONSENT},
    "findSubscriber": {"email": ANNA},
    "changeSubscriber": {"name": "Anna"},
    "findSuppression": {"target": ANNA},
    "addSuppression": {"target": "@example.net"},
    "removeSuppression": {"target": ANNA},
    "approveIssue": {"revision": REVISION},
    "sendIssue": {"revision": REVISION},
}
"""A body that fits, by the operation."""


def path_of(operation: Operation) -> str:
    return operation.path.replace("{id}", "1").replace("{issue}", "2026-11-26")


def ask(api: ApiClient, operation: Operation, *scopes: str, **more: str) -> Any:
    body = BODIES.get(operation.name)
    assert (body is None) == (operation.body is None)
    return api.ask(operation.method, path_of(operation), *scopes, json=body, **more)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_an_operation_takes_its_own_scope_and_no_other(
    api: ApiClient, operation: Operation
) -> None:
    add_confirmed_subscribers(api.context, ANNA)
    others = [scope for scope in ALL_SCOPES if scope is not operation.scope]
    for scopes in ([scope] for scope in others):
        refused = ask(api, operation, *scopes)
        assert problem(refused) == "forbidden"
        assert refused.json()["scope"] == operation.scope
        assert operation.scope in refused.headers["www-authenticate"]
    assert problem(ask(api, operation, *others)) == "forbidden"
    assert api.app.subscribers.by_id(1) is not None
    assert api.app.suppressions.find("@example.net") is None
    assert ask(api, operation, operation.scope).status_code not in (401, 403, 500, 503)


def test_every_scope_is_of_some_operation() -> None:
    assert {operation.scope for operation in OPERATIONS} == set(ApiScope)


# --- off


def test_without_a_token_everything_is_a_page_that_is_not_there(api: ApiClient) -> None:
    unknown = api.client.get("/nothing-here")
    for method in ("GET", "POST", "DELETE", "PATCH", "OPTIONS"):
        for path in ("", "/", "/subscribers", "/openapi.json", "/x/y"):
            answer = api.ask(method, path, secret=f"{PREFIX}{'x' * 43}")
            assert (answer.status_code, answer.text) == (404, unknown.text)


def test_while_it_is_off_the_store_is_asked_now_and_then_only(api: ApiClient) -> None:
    with query_cost(api.context.store) as cost:
        for _ in range(50):
            api.ask("GET", "/subscribers", secret="x")
    assert len([one for one in cost.statements if "api_tokens" in one]) == 1


def test_the_first_token_turns_it_on_and_the_end_of_the_last_one_off(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = publication.context()
    seconds = [0.0]
    monkeypatch.setattr("upcycle_news.web.app.HttpApi", partial(HttpApi, clock=lambda: seconds[0]))
    with api_client(context) as api:
        assert api.ask("GET", "/openapi.json", secret="").status_code == 404
        api.app.tokens.create("website", ["events:read"])
        seconds[0] += OFF_SECONDS
        assert api.ask("GET", "/openapi.json", secret="").status_code == 200
        api.app.tokens.revoke("website")
        assert api.ask("GET", "/openapi.json", secret="").status_code == 404


# --- tokens


def test_a_wrong_revoked_or_expired_token_is_told_the_same(api: ApiClient) -> None:
    api.token("events:read")
    good = api.app.tokens.create("good", ["events:read"]).secret
    revoked = api.app.tokens.create("revoked", ["events:read"]).secret
    api.app.tokens.revoke("revoked")
    expired = api.app.tokens.create("old", ["events:read"], expires="2026-11-26").secret
    assert api.ask("GET", "/events", secret=good).status_code == 200
    assert api.ask("GET", "/events", secret=expired).status_code == 200
    clock = api.context.clock
    clock.now += timedelta(days=1)  # type: ignore[attr-defined]
    answers = [
        api.ask("GET", "/events", secret=secret)
        for secret in (revoked, expired, f"{PREFIX}{'A' * 43}", "x", good[:-1], good.upper())
    ]
    answers.append(api.ask("GET", "/events", secret="", Authorization=f"Basic {good}"))
    answers.append(api.ask("GET", "/events", secret=""))
    assert {problem(answer) for answer in answers} == {"unauthorized"}
    assert len({answer.text for answer in answers}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers} == {'Bearer realm="api"'}
    assert api.ask("GET", "/events", secret=good).status_code == 200


def test_a_token_works_through_its_last_day_in_the_publications_time_zone(api: ApiClient) -> None:
    secret = api.token("events:read", expires="2026-11-26")
    clock: Any = api.context.clock
    clock.now = clock.now.replace(hour=22, minute=59)  # 23:59 in Berlin
    assert api.ask("GET", "/events", secret=secret).status_code == 200
    clock.now += timedelta(minutes=1)
    api.token("events:read")
    assert api.ask("GET", "/events", secret=secret).status_code == 401


@contextmanager
def work(api: ApiClient) -> Iterator[list[Any]]:
    """Collect the statements about tokens, with the lengths of their parameters."""
    done: list[Any] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "api_tokens" in statement:  # the mailer of this process asks for other things
            done.append((statement, [len(str(value)) for value in parameters]))

    event.listen(api.context.store._engine, "before_cursor_execute", note)
    try:
        yield done
    finally:
        event.remove(api.context.store._engine, "before_cursor_execute", note)


def test_a_wrong_token_makes_the_same_work_however_near_it_is(api: ApiClient) -> None:
    """Counted, not timed: the same statements, about a hash that nobody can choose, and no comparison beside."""
    good = api.app.tokens.create("good", ["events:read"]).secret
    revoked = api.app.tokens.create("revoked", ["events:read"]).secret
    api.app.tokens.revoke("revoked")
    wrong = [good[:cut] + "-" * (len(good) - cut) for cut in range(4, len(good) - 1, 7)]
    statements = []
    for secret in (*wrong, revoked, f"{PREFIX}{'A' * 43}", "x", "", "y" * 400):
        with work(api) as done:
            assert api.ask("GET", "/events", secret=secret).status_code == 401
        statements.append(done)
    assert all(done == statements[0] for done in statements)
    assert len(statements[0]) == 2  # is any token valid, and which one has this hash


def test_a_token_is_stored_as_a_hash_only_and_is_in_no_log(
    api: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = api.app.tokens.create("website", ["subscribers:write"])
    api.done("POST", "/subscribers", json={"email": ANNA, "source": "form"}, secret=made.secret)
    api.ask("GET", "/subscribers", secret=made.secret + "x")
    assert len(re.fullmatch(rf"{PREFIX}(.*)", made.secret)[1]) == 43  # type: ignore[index]  # 256 bits
    with api.context.store.reading() as connection:
        rows = connection.execute(select(schema.api_tokens)).all()
    assert [row.token_hash for row in rows] == [hash_of(made.secret)]
    store_files = [path.read_bytes() for path in api.context.settings.state.glob("upcycle.db*")]
    assert store_files
    assert not any(made.secret.encode() in data for data in store_files)
    assert made.secret not in repr(made)
    assert made.secret not in caplog.text


def test_the_log_redacts_a_token_that_gets_into_it() -> None:
    from upcycle_news.observability.redaction import redact

    assert redact(f"got {PREFIX}{'aB3_-' * 8}abc.") == "got …."


def test_the_last_use_is_kept_by_the_day_and_written_once_a_day(api: ApiClient) -> None:
    secret = api.token("events:read")
    assert api.app.tokens.list()[0].last_used_on is None
    for _ in range(3):
        api.done("GET", "/events/latest", secret=secret)
    assert api.app.tokens.list()[0].last_used_on == date(2026, 11, 26)
    with query_cost(api.context.store) as cost:
        api.done("GET", "/events/latest", secret=secret)
    assert not [one for one in cost.statements if one.startswith("UPDATE")]
    clock: Any = api.context.clock
    clock.now += timedelta(days=2)
    api.done("GET", "/events/latest", secret=secret)
    assert api.app.tokens.list()[0].last_used_on == date(2026, 11, 28)


# --- errors in one form


def test_every_error_is_a_problem_in_one_form(api: ApiClient) -> None:
    write = ("subscribers:write",)
    body = {"email": ANNA, "source": "form"}
    assert problem(api.ask("GET", "/nothing", *write)) == "not-found"
    assert problem(api.ask("GET", "/subscribers/0", "subscribers:read")) == "not-found"
    assert problem(api.ask("GET", "/subscribers/9999999999", "subscribers:read")) == "not-found"
    assert problem(api.ask("GET", "/subscribers/7/x", *write)) == "not-found"
    assert problem(api.ask("GET", "", *write)) == "not-found"
    assert problem(api.ask("GET", "/subscribers/%0D%0Ax", *write)) == "not-found"
    assert api.ask("GET", "x/subscribers", *write).headers["content-type"].startswith("text/html")
    wrong = api.ask("PUT", "/subscribers/1", *write)
    assert problem(wrong) == "method-not-allowed"
    assert wrong.headers["allow"] == "GET, HEAD, PATCH, DELETE"
    wrong = api.ask("POST", "/openapi.json", *write, json={})
    assert (problem(wrong), wrong.headers["allow"]) == ("method-not-allowed", "GET, HEAD")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=x"):
        answer = api.ask("POST", "/subscribers", *write, json=body, Content_Type=kind)
        assert problem(answer) == "unsupported-media-type"
    token = {"Authorization": f"Bearer {api.token(*write)}", "Content-Type": "application/json"}
    for data in (b"{", b"", b'{"email": "\xff"}', b'{"email": "\\ud800"}'):
        answer = api.client.post(f"{ROOT}/subscribers", content=data, headers=token)
        assert problem(answer) == "malformed"
    large = b'{"email": "' + b"a" * MAX_BODY + b'"}'
    for content in (large, iter([large[:100], large[100:]])):
        answer = api.client.post(f"{ROOT}/subscribers", content=content, headers=token)
        assert problem(answer) == "too-large"
    answer = api.ask("DELETE", "/subscribers/1", "subscribers:forget", json={"x": 1})
    assert problem(answer) == "malformed"
    answer = api.ask("POST", "/subscribers", *write, json=body, Idempotency_Key="a b")
    assert problem(answer) == "malformed"


def test_what_does_not_fit_is_named_and_nothing_of_it_is_repeated(api: ApiClient) -> None:
    cases: list[tuple[Any, str]] = [
        ({"email": ANNA}, "/source"),
        ({"email": ANNA, "source": "form", ANNA: 1}, ""),
        ({"email": ANNA, "source": 7}, "/source"),
        ({"email": ANNA, "source": " \u2003"}, "/source"),
        ({"email": f"{ANNA}@", "source": "form"}, "/email"),
        ({"email": f"x\n{ANNA}", "source": "form"}, "/email"),
        ({"email": ANNA, "source": f"{ANNA}\x00"}, "/source"),
        ({"email": ANNA, "source": "form", "language": ANNA}, "/language"),
        ([ANNA], ""),
        (ANNA, ""),
    ]
    for body, pointer in cases:
        answer = api.ask("POST", "/subscribers", "subscribers:write", json=body)
        assert problem(answer) == "invalid"
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert "anna" not in answer.text
    for query in ("limit=0", "limit=501", "limit=x", "limit=1&limit=1", f"q={ANNA}", "after=-1"):
        answer = api.ask("GET", f"/subscribers?{query}", "subscribers:read")
        assert problem(answer) == "invalid"
        assert "anna" not in answer.text


def test_an_unexpected_error_says_nothing_of_itself(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from upcycle_news.api.subscribers import Subscribers

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"no such thing as {ANNA}")

    monkeypatch.setattr(Subscribers, "page", fail)
    answer = api.ask("GET", "/subscribers", "subscribers:read")
    assert problem(answer) == "internal"
    assert "RuntimeError" not in answer.text
    assert "anna" not in answer.text + caplog.text


def test_a_store_that_does_not_answer_is_told_without_its_place(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from upcycle_news.api.subscribers import Subscribers
    from upcycle_news.errors import StoreError

    def fail(*_: object, **__: object) -> None:
        raise StoreError("store /var/lib/upcycle.db: it is locked")

    monkeypatch.setattr(Subscribers, "page", fail)
    answer = api.ask("GET", "/subscribers", "subscribers:read")
    assert problem(answer) == "unavailable"
    assert "/var" not in answer.text


def test_no_other_site_may_read_an_answer_and_nothing_is_kept(api: ApiClient) -> None:
    for method, path in (("GET", "/events"), ("OPTIONS", "/events"), ("GET", "/nothing")):
        answer = api.ask(method, path, "events:read", Origin="https://other.example")
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
    preflight = api.ask("OPTIONS", "/events", secret="", Access_Control_Request_Method="GET")
    assert problem(preflight) == "unauthorized"


def test_head_answers_as_get_does(api: ApiClient) -> None:
    assert api.ask("HEAD", "/events", "events:read").status_code == 200
