"""The OpenAPI document says what the API does, and requests made of it never make it fail."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from upcycle_news.web.http_api.openapi import ROOT, openapi_document
from upcycle_news.web.http_api.operations import OPERATIONS, Operation
from upcycle_news.web.http_api.problems import CONTENT_TYPE, PROBLEMS, TYPE_PREFIX
from upcycle_news.web.http_api.schemas import ProblemOut

from ...publications import Publication, add_confirmed_subscribers
from .api_client import ALL_SCOPES, ANNA, BERT, ApiClient
from .generated import ANYTHING, DOCUMENT, HOSTILE, broken, fitting

REAL_IDS = st.integers(1, 5)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much]


@pytest.fixture
def filled(publication: Publication, api: ApiClient) -> ApiClient:
    """An API with subscribers, suppressions, an issue and events, and a token for everything."""
    publication.write_essay()
    add_confirmed_subscribers(api.context, ANNA, BERT, "cem@example.org")
    api.app.suppressions.add([BERT, "@example.net"])
    api.app.issues.compose("2026-11-26", collect=False)
    return api


# --- the document


def test_the_document_is_served_and_printed_as_the_code_makes_it(
    publication: Publication, api: ApiClient
) -> None:
    api.token("events:read")
    served = api.ask("GET", "/openapi.json", secret="")
    assert served.headers["content-type"] == "application/json"
    assert served.json() == openapi_document()
    assert publication.run("tokens", "openapi").json == openapi_document()


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    text = json.dumps(DOCUMENT)
    names = set(DOCUMENT["components"]["schemas"])
    prefix = '"#/components/schemas/'
    used = {part.partition('"')[0] for part in text.split(prefix)[1:]}
    assert used == names
    assert DOCUMENT["openapi"] == "3.1.0"


def test_every_operation_says_its_scope_and_all_it_may_answer() -> None:
    names = set()
    for one in OPERATIONS:
        described = DOCUMENT["paths"][one.path][one.method.lower()]
        names.add(described["operationId"])
        assert described["security"] == [{"token": [one.scope]}]
        assert {str(one.status), "401", "403", "429", "500", "503"} <= set(described["responses"])
        said = json.dumps(described)
        assert f"{TYPE_PREFIX}forbidden" in said
        parameters = {part["name"] for part in described.get("parameters", [])}
        assert ("Idempotency-Key" in parameters) == one.writes
        assert one.writes == (one.method != "GET" and not one.name.startswith("find"))
    assert len(names) == len(OPERATIONS)


def test_answers_that_are_stored_for_repetitions_hold_no_personal_data() -> None:
    """Only ids, counts and what became of it: no address, name or text of anybody."""
    allowed = {"accepted", "delay_seconds", "id", "result", "changed", "issue", "revision"}
    for one in OPERATIONS:
        if one.writes and one.result is not None and one.name != "sendIssue":
            assert set(one.result.model_fields) <= allowed, one.name


# --- requests made of it


def check(api: ApiClient, one: Operation, answer: Any) -> None:
    """Fail unless an answer is one that the document has for this operation."""
    assert answer.status_code < 500, f"{one.name}: {answer.text}"
    described = DOCUMENT["paths"][one.path][one.method.lower()]["responses"]
    if answer.status_code == 404:  # a path parameter that matches no operation
        described = {**described, "404": {}}
    assert str(answer.status_code) in described, f"{one.name}: {answer.text}"
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == CONTENT_TYPE
        members = ProblemOut.model_validate_json(answer.content)
        assert members.type.removeprefix(TYPE_PREFIX) in PROBLEMS
        said = answer.text
        for our_own in ("name@example.org", "@domain", "exactly one @"):
            said = said.replace(our_own, "")
        assert "@" not in said, "a problem holds an address"
    elif one.result is not None:
        one.result.model_validate_json(answer.content)
    else:
        assert answer.content == b""


def send(
    api: ApiClient, one: Operation, secret: str, path: str, query: Any, body: Any, key: str
) -> Any:
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if key:
        headers["Idempotency-Key"] = key
    url = f"{ROOT}{path}" + (f"?{urlencode(query)}" if query else "")
    content = None if body is None else json.dumps(body).encode("utf-8", "surrogatepass")
    return api.client.request(one.method, url, content=content, headers=headers)


@st.composite
def requests(draw: st.DrawFn, one: Operation) -> tuple[str, Any, Any, str]:
    """Return path, query, body and idempotency key of a request that fits, or does not quite."""
    described = DOCUMENT["paths"][one.path][one.method.lower()]
    fits = draw(st.booleans())
    path, query = one.path, {}
    for part in described.get("parameters", []):
        right: st.SearchStrategy[Any] = fitting(part["schema"])
        if part["name"] == "id":
            right = REAL_IDS | right
        if part["name"] == "issue":
            right = st.just("2026-11-26") | right
        if part["name"] == "after":
            right = st.just("0") | right
        value = draw(right if fits or draw(st.booleans()) else HOSTILE | st.text(max_size=20))
        if part["in"] == "path":
            path = path.replace(f"{{{part['name']}}}", quote(str(value), safe=""))
        elif part["in"] == "query" and draw(st.booleans()):
            query[part["name"]] = str(value)
    if not fits and draw(st.integers(0, 4)) == 0:
        query[draw(st.sampled_from(["q", "email", "limit"]))] = draw(HOSTILE)
    body = None
    if one.body is not None:
        schema = described["requestBody"]["content"]["application/json"]["schema"]
        body = draw(fitting(schema) if fits else broken(schema))
    elif not fits:
        body = draw(st.none() | ANYTHING)
    key = draw(st.sampled_from(["", "", "k", "key-2"])) if one.writes else ""
    return path, query, body, key


def fuzz(api: ApiClient, one: Operation, examples: int) -> None:
    secret = api.token(*ALL_SCOPES)

    @given(request=requests(one))
    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=SLOW,
        database=None,
        phases=[
            Phase.generate
        ],  # to shrink asks the server for minutes, and the request is short anyway
    )
    def run(request: tuple[str, Any, Any, str]) -> None:
        answer = send(api, one, secret, *request)
        check(api, one, answer)
        unknown = send(api, one, "", *request)
        assert unknown.status_code == 401
        assert "@" not in unknown.text

    run()


@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_no_request_makes_an_operation_fail_or_answer_what_its_document_lacks(
    filled: ApiClient, one: Operation
) -> None:
    fuzz(filled, one, 12)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("one", OPERATIONS, ids=lambda one: one.name)
def test_no_request_of_thousands_makes_an_operation_fail(
    publication: Publication, any_store: str, one: Operation
) -> None:
    from .api_client import api_client

    context = publication.context(STORE=any_store, WEB__API_REQUESTS_PER_MINUTE="10000000")
    publication.write_essay()
    add_confirmed_subscribers(context, ANNA, BERT, "cem@example.org")
    with api_client(context) as api:
        api.app.suppressions.add([BERT, "@example.net"])
        api.app.issues.compose("2026-11-26", collect=False)
        fuzz(api, one, 3000)
