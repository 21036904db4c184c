"""A request with an Idempotency-Key is carried out once, whatever is repeated, and when."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from upcycle_news.api.tokens import RetryVerdict
from upcycle_news.storage import idempotency, schema

from .api_client import ANNA, ApiClient, problem

SCOPE = "suppressions:write"
TARGETS = ("a@example.org", "b@example.org", "@example.net")


def suppress(api: ApiClient, target: str, key: str, **more: Any) -> Any:
    return api.ask(
        "POST", "/suppressions", SCOPE, json={"target": target}, Idempotency_Key=key, **more
    )


def test_a_repetition_gets_the_first_answer_and_does_nothing(api_on_any_store: ApiClient) -> None:
    api = api_on_any_store
    first, again = suppress(api, ANNA, "k"), suppress(api, ANNA, "k")
    assert first.json() == again.json() == {"changed": True}
    assert (first.status_code, again.status_code) == (200, 200)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    api.app.suppressions.remove(ANNA)
    assert suppress(api, ANNA, "k").json() == {"changed": True}
    assert api.app.suppressions.find(ANNA) is None
    assert suppress(api, ANNA, "another").json() == {"changed": True}
    assert api.app.suppressions.find(ANNA) is not None


def test_the_same_key_with_another_request_is_refused(api: ApiClient) -> None:
    suppress(api, ANNA, "k")
    assert problem(suppress(api, "b@example.org", "k")) == "key-reused"
    removed = api.ask(
        "POST", "/suppressions/remove", SCOPE, json={"target": ANNA}, Idempotency_Key="k"
    )
    assert problem(removed) == "key-reused"
    assert api.app.suppressions.find("b@example.org") is None
    assert api.app.suppressions.find(ANNA) is not None


def test_the_order_of_members_makes_no_other_request_and_another_token_has_other_keys(
    api: ApiClient,
) -> None:
    suppress(api, ANNA, "k")
    other = api.token(SCOPE)
    assert suppress(api, "b@example.org", "k", secret=other).json() == {"changed": True}
    body = '{"reason": "x", "target": "c@example.org"}'
    turned = '{ "target":"c@example.org","reason":"x"}'
    headers = {"Authorization": f"Bearer {other}", "Content-Type": "application/json",
               "Idempotency-Key": "x"}  # fmt: skip
    for data in (body, turned):
        answer = api.client.post("/api/v1/suppressions", content=data, headers=headers)
        assert answer.json() == {"changed": True}


def test_a_refusal_is_repeated_and_a_failure_that_may_pass_is_not(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from upcycle_news.api.suppressions import Suppressions

    def remove(**more: Any) -> Any:
        return api.ask("POST", "/suppressions/remove", SCOPE, json={"target": ANNA}, **more)

    assert problem(remove(Idempotency_Key="k")) == "not-found"
    api.app.suppressions.add(ANNA)
    again = remove(Idempotency_Key="k")
    assert problem(again) == "not-found"
    assert again.headers["idempotent-replayed"] == "true"
    with monkeypatch.context() as patch:
        patch.setattr(Suppressions, "remove", lambda *_: 1 / 0)
        assert problem(remove(Idempotency_Key="x")) == "internal"
    assert remove(Idempotency_Key="x").status_code == 204
    assert api.app.suppressions.find(ANNA) is None


def test_while_a_request_is_carried_out_its_repetition_is_told_to_wait(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from upcycle_news.api.suppressions import Suppressions

    begun, go_on = threading.Event(), threading.Event()
    add = Suppressions.add

    def slow(self: Suppressions, *arguments: Any, **more: Any) -> Any:
        begun.set()
        assert go_on.wait(30)
        return add(self, *arguments, **more)

    monkeypatch.setattr(Suppressions, "add", slow)
    api.token(SCOPE)
    answers: list[Any] = []
    secret = api.token(SCOPE)
    first = threading.Thread(target=lambda: answers.append(suppress(api, ANNA, "k", secret=secret)))
    first.start()
    assert begun.wait(30)
    meanwhile = suppress(api, ANNA, "k", secret=secret)
    other = suppress(api, "b@example.org", "k", secret=secret)
    go_on.set()
    first.join()
    assert problem(meanwhile) == "key-in-use"
    assert meanwhile.headers["retry-after"] == "1"
    assert problem(other) == "key-reused"
    assert answers[0].json() == {"changed": True}
    assert suppress(api, ANNA, "k", secret=secret).headers["idempotent-replayed"] == "true"


@pytest.mark.slow
def test_of_many_at_the_same_moment_one_is_carried_out(api_on_any_store: ApiClient) -> None:
    api = api_on_any_store
    secret = api.token(SCOPE)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(suppress(api, ANNA, "k", secret=secret)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    carried_out = [
        answer
        for answer in answers
        if answer.status_code == 200 and "idempotent-replayed" not in answer.headers
    ]
    assert len(carried_out) == 1
    assert {answer.status_code for answer in answers} <= {200, 409}


def test_an_answer_is_given_again_for_a_day_and_then_forgotten(api: ApiClient) -> None:
    suppress(api, ANNA, "k")
    clock: Any = api.context.clock
    clock.now += timedelta(hours=23, minutes=59)
    assert suppress(api, ANNA, "k").headers["idempotent-replayed"] == "true"
    clock.now += timedelta(minutes=1)
    assert suppress(api, ANNA, "k").json() == {"changed": False}
    clock.now += timedelta(days=2)
    api.app.subscribers.tidy()
    with api.context.store.reading() as connection:
        query = select(func.count()).select_from(schema.idempotency_keys)
        assert connection.scalar(query) == 0


def test_a_request_whose_process_died_is_carried_out_anew_after_some_minutes(
    api: ApiClient,
) -> None:
    made = api.app.tokens.create("website", [SCOPE])
    tokens = api.app.tokens

    def begin() -> RetryVerdict:
        return tokens.begin_request(made.token, made.secret, "k", b"request").verdict

    assert begin() is RetryVerdict.NEW
    clock: Any = api.context.clock
    clock.now += idempotency.ABANDONED - timedelta(seconds=1)
    assert begin() is RetryVerdict.RUNNING
    clock.now += timedelta(seconds=1)
    assert begin() is RetryVerdict.NEW
    assert begin() is RetryVerdict.RUNNING


def test_neither_the_key_nor_the_request_nor_its_answer_lies_in_the_store_in_plain_form(
    api: ApiClient,
) -> None:
    suppress(api, ANNA, f"key-of-{ANNA}")
    body = {"email": ANNA, "source": "form"}
    api.done(
        "POST", "/subscribers", "subscribers:write", json=body, Idempotency_Key=f"key-of-{ANNA}"
    )
    with api.context.store.reading() as connection:
        rows = connection.execute(select(schema.idempotency_keys)).all()
    assert len(rows) == 2
    assert "anna" not in repr(rows)
    assert (
        len({row.key_hash for row in rows}) == 2
    )  # keyed with the token: nothing shows they are alike


@given(
    requests=st.lists(
        st.tuples(st.sampled_from(TARGETS), st.sampled_from(["k1", "k2", ""])), max_size=12
    )
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_repeated_each_key_acts_at_most_once_and_never_for_another_request(
    api: ApiClient, requests: list[tuple[str, str]]
) -> None:
    """Against a model: the first request of a key decides, and only an unkeyed one acts each time."""
    for row in list(api.app.suppressions.list()):
        api.app.suppressions.remove(row.key)
    secret = api.token(SCOPE)
    first: dict[str, tuple[str, bool]] = {}
    suppressed: set[str] = set()
    for target, key in requests:
        headers = {"Idempotency_Key": key} if key else {}
        answer = api.ask(
            "POST", "/suppressions", SCOPE, json={"target": target}, secret=secret, **headers
        )
        if key in first and first[key][0] != target:
            assert problem(answer) == "key-reused"
        elif key in first:
            assert answer.json() == {"changed": first[key][1]}
        else:
            changed = target not in suppressed
            assert answer.json() == {"changed": changed}
            suppressed.add(target)
            if key:
                first[key] = target, changed
    assert {row.key for row in api.app.suppressions.list()} == suppressed
