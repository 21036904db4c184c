"""How often the HTTP API may be asked, with one token and from one network."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcycle_news.web.http_api.endpoint import NETWORKS_FACTOR, HttpApi
from upcycle_news.web.http_api.limits import SECONDS, RequestLimit

from ...publications import Publication
from ...storage.query_cost import query_cost
from .api_client import api_client, problem

EVENTS = "events:read"


def test_a_token_that_asks_too_often_is_told_when_to_come_back(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]
    monkeypatch.setattr("upcycle_news.web.app.HttpApi", partial(HttpApi, clock=lambda: seconds[0]))
    with api_client(publication.context(WEB__API_REQUESTS_PER_MINUTE="3")) as api:
        mine, other = api.token(EVENTS), api.token(EVENTS)
        for left in (2, 1, 0):
            answer = api.ask("GET", "/events", secret=mine)
            assert answer.status_code == 200
            assert answer.headers["ratelimit"] == f'"token";r={left};t=60'
            assert answer.headers["ratelimit-policy"] == f'"token";q=3;w={SECONDS}'
            seconds[0] += 0.001
        seconds[0] = 20.0
        refused = api.ask("GET", "/events", secret=mine)
        assert problem(refused) == "too-many-requests"
        assert refused.headers["retry-after"] == "40"
        assert api.ask("GET", "/events", secret=other).status_code == 200
        seconds[0] = 60.0
        assert api.ask("GET", "/events", secret=mine).status_code == 200


def test_who_tries_tokens_is_limited_by_the_network(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upcycle_news.web.app.HttpApi", partial(HttpApi, clock=lambda: 0.0))
    with api_client(publication.context(WEB__API_REQUESTS_PER_MINUTE="2")) as api:
        good = api.token(EVENTS)
        answers = [
            api.ask("GET", "/events", secret=f"x{number}", X_Forwarded_For=f"192.0.2.{number}")
            for number in range(2 * NETWORKS_FACTOR + 2)
        ]
        kinds = [problem(answer) for answer in answers]
        assert kinds == ["unauthorized"] * (2 * NETWORKS_FACTOR) + ["too-many-requests"] * 2
        assert answers[-1].headers["retry-after"] == "60"
        blocked = api.ask("GET", "/events", secret=good, X_Forwarded_For="192.0.2.200")
        assert problem(blocked) == "too-many-requests"
        elsewhere = api.ask("GET", "/events", secret=good, X_Forwarded_For="198.51.100.1")
        assert elsewhere.status_code == 200


def test_who_asks_too_often_costs_the_store_nothing_any_more(publication: Publication) -> None:
    with api_client(publication.context(WEB__API_REQUESTS_PER_MINUTE="2")) as api:
        api.token(EVENTS)
        for _ in range(2 * NETWORKS_FACTOR):
            api.ask("GET", "/events", secret="x")
        with query_cost(api.context.store) as cost:
            kinds = {problem(api.ask("GET", "/events", secret="x")) for _ in range(10)}
        assert kinds == {"too-many-requests"}
        assert not [one for one in cost.statements if "api_tokens" in one]


@given(
    limit=st.integers(1, 5),
    steps=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 90)), max_size=40),
)
def test_no_key_gets_more_than_its_limit_in_a_window(
    limit: int, steps: list[tuple[str, float]]
) -> None:
    now = [0.0]
    counted = RequestLimit(limit, lambda: now[0])
    granted: dict[str, list[float]] = {"a": [], "b": []}
    refused_until: dict[str, float] = {}
    for key, passed in steps:
        now[0] += passed
        allowance = counted.take(key)
        if allowance.allowed:
            granted[key].append(now[0])
        else:
            refused_until[key] = now[0] + allowance.reset_seconds
            assert allowance.remaining == 0
        assert 1 <= allowance.reset_seconds <= SECONDS
    for times in granted.values():
        # A window begins with its first request, so that two of them touch at the most.
        assert all(
            sum(start <= time < start + SECONDS for time in times) <= 2 * limit for start in times
        )
    for key, moment in refused_until.items():
        now[0] = max(now[0], moment)
        fresh: Any = counted.take(key)
        assert fresh.allowed or granted[key]
