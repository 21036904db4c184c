"""Subscribers, suppressions, issues and events over the HTTP API, as they are on the command line."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from upcycle_news.models import EventKind
from upcycle_news.services.delivery import send
from upcycle_news.storage import confirmation_mails

from ...delivery.memory_ledger import Clock
from ...publications import Publication, add_confirmed_subscribers
from .api_client import ALL_SCOPES, ANNA, BERT, ApiClient, api_client, problem

READ, WRITE = "subscribers:read", "subscribers:write"
CONSENT = {
    "text": "I want the newsletter.\nI may leave at any time.",
    "source": "membership form",
    "given_at": "2026-11-01T10:00:00+01:00",
}
ISSUE = "2026-11-26"


def sign_up(api: ApiClient, address: str, **more: Any) -> Any:
    body = {"email": address, "source": "form on example.org", **more}
    return api.done("POST", "/subscribers", WRITE, json=body)


def find(api: ApiClient, address: str) -> Any:
    return api.done("POST", "/subscribers/find", READ, json={"email": address})


# --- subscribers


def test_who_is_added_is_pending_and_gets_a_confirmation_mail(
    api_on_any_store: ApiClient,
) -> None:
    api = api_on_any_store
    assert sign_up(api, ANNA, language="en") == {"accepted": True, "delay_seconds": 0}
    found = find(api, "Anna@Example.org")
    assert (found["status"], found["language"], found["email"]) == ("pending", "en", ANNA)
    with api.context.store.reading() as connection:
        assert confirmation_mails.last_asked(connection, ANNA) is not None
    [consent] = api.done("GET", f"/subscribers/{found['id']}/history", READ)["consents"]
    assert (consent["source"], consent["confirmed_at"]) == ("form on example.org", None)
    assert consent["wording"].startswith("en-")


def test_adding_says_the_same_whoever_it_is_and_asks_nobody_twice(api: ApiClient) -> None:
    add_confirmed_subscribers(api.context, ANNA)
    api.app.suppressions.add(BERT, reason="complaint")
    answers = [sign_up(api, address) for address in (ANNA, BERT, "neu@example.org")]
    answers.append(sign_up(api, "neu@example.org"))
    assert answers == [{"accepted": True, "delay_seconds": 0}] * 4
    assert find(api, ANNA)["status"] == "confirmed"
    with api.context.store.reading() as connection:
        asked = [confirmation_mails.last_asked(connection, key) for key in (ANNA, BERT)]
        assert asked == [None, None]
        mailbox = confirmation_mails.count_asked(
            connection, "neu@example.org", since=api.app.now - timedelta(days=1)
        )
    assert mailbox == 1


def test_the_limits_of_the_form_hold_for_programs(publication: Publication) -> None:
    from .api_client import api_client

    environment = {"AUDIENCE__CONFIRMATIONS_AT_ONCE": "1", "AUDIENCE__CONFIRMATIONS_PER_HOUR": "1"}
    with api_client(publication.context(**environment)) as api:
        delays = [
            sign_up(api, f"leserin{number}@example.org")["delay_seconds"] for number in range(3)
        ]
    assert delays[0] == 0
    assert delays[2] >= 3600


def test_a_documented_consent_confirms_with_its_words_source_and_time(
    api_on_any_store: ApiClient,
) -> None:
    api = api_on_any_store
    body = {
        "email": ANNA, "name": "Anna Ä", "topics": ["Bestand"], "groups": ["members"],
        "consent": CONSENT,
    }  # fmt: skip
    made = api.done("POST", "/subscribers/confirmed", "subscribers:confirm", json=body)
    assert made["result"] == "added"
    found = api.done("GET", f"/subscribers/{made['id']}", READ)
    assert (found["status"], found["name"], found["topics"]) == ("confirmed", "Anna Ä", ["Bestand"])
    assert found["groups"] == ["members"]
    [consent] = api.done("GET", f"/subscribers/{made['id']}/history", READ)["consents"]
    assert consent["text"] == CONSENT["text"]
    assert consent["source"] == "membership form"
    assert consent["given_at"] == "2026-11-01T09:00:00Z"
    again = api.done("POST", "/subscribers/confirmed", "subscribers:confirm", json=body)
    assert again == {"id": made["id"], "result": "unchanged"}


@pytest.mark.parametrize("missing", ["text", "source", "given_at"])
def test_a_consent_without_one_of_its_three_parts_confirms_nobody(
    api: ApiClient, missing: str
) -> None:
    scope, path = "subscribers:confirm", "/subscribers/confirmed"
    consent = {key: value for key, value in CONSENT.items() if key != missing}
    answer = api.ask("POST", path, scope, json={"email": ANNA, "consent": consent})
    assert problem(answer) == "invalid"
    blank = {**CONSENT, missing: " " if missing != "given_at" else "2027-01-01T00:00:00Z"}
    answer = api.ask("POST", path, scope, json={"email": ANNA, "consent": blank})
    assert problem(answer) == "invalid"
    assert api.app.subscribers.find(ANNA) is None


@pytest.mark.parametrize(
    "given_at", ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"]
)
def test_a_time_at_which_nobody_consents_confirms_nobody(api: ApiClient, given_at: str) -> None:
    body = {"email": ANNA, "consent": {**CONSENT, "given_at": given_at}}
    answer = api.ask("POST", "/subscribers/confirmed", "subscribers:confirm", json=body)
    assert problem(answer) == "invalid"
    assert api.app.subscribers.find(ANNA) is None


def test_who_left_or_is_suppressed_is_not_confirmed_over_it(api: ApiClient) -> None:
    add_confirmed_subscribers(api.context, ANNA)
    api.app.subscribers.unsubscribe(ANNA)
    api.app.suppressions.add(BERT, reason="complaint")
    for address in (ANNA, BERT):
        body = {"email": address, "consent": CONSENT}
        answer = api.ask("POST", "/subscribers/confirmed", "subscribers:confirm", json=body)
        assert problem(answer) == "refused"
        assert answer.json()["detail"].startswith("Nicht eingetragen")
        assert answer.json()["language"] == "de"
        assert "@" not in answer.text


def test_a_subscriber_is_changed_found_listed_and_leaves(api_on_any_store: ApiClient) -> None:
    api = api_on_any_store
    add_confirmed_subscribers(api.context, ANNA, BERT, "cem@example.org")
    number = find(api, ANNA)["id"]
    change = {"name": "Anna", "language": "en", "topics": ["Bestand"], "groups": ["testers"]}
    assert api.done("PATCH", f"/subscribers/{number}", WRITE, json=change) is None
    api.done("PATCH", f"/subscribers/{number}", WRITE, json={"name": "A."})
    found = api.done("GET", f"/subscribers/{number}", READ)
    assert {**change, "name": "A."} == {key: found[key] for key in change}
    ids, after = [], 0
    while after is not None:
        page = api.done("GET", f"/subscribers?limit=2&after={after}", READ)
        ids += [one["id"] for one in page["subscribers"]]
        after = page["next"]
    assert ids == [number, find(api, BERT)["id"], find(api, "cem@example.org")["id"]]
    leave = f"/subscribers/{number}/unsubscribe"
    assert api.done("POST", leave, WRITE) == {"changed": True}
    assert api.done("POST", leave, WRITE, json={}) == {"changed": False}
    left = api.done("GET", "/subscribers?status=unsubscribed", READ)
    assert [one["id"] for one in left["subscribers"]] == [number]
    [departure] = api.done("GET", f"/subscribers/{number}/history", READ)["departures"]
    assert departure["method"] == "api"


def test_a_rhythm_is_set_where_topics_are_and_told_with_its_day(
    publication: Publication, clock: Clock
) -> None:
    every = {"present": "every_issue", "coming": None, "from_day": None}
    coming = {"present": "every_issue", "coming": "digest", "from_day": "2026-12-01"}
    with api_client(publication.context(DIGEST__INTERVAL="monthly")) as api:
        body = {"email": ANNA, "rhythm": "digest", "consent": CONSENT}
        made = api.done("POST", "/subscribers/confirmed", "subscribers:confirm", json=body)
        assert find(api, ANNA)["rhythm"] == {**every, "present": "digest"}
        add_confirmed_subscribers(api.context, BERT)
        number = find(api, BERT)["id"]
        assert find(api, BERT)["rhythm"] == every
        api.done("PATCH", f"/subscribers/{number}", WRITE, json={"rhythm": "digest"})
        assert api.done("GET", f"/subscribers/{number}", READ)["rhythm"] == coming
        listed = api.done("GET", "/subscribers", READ)["subscribers"]
        assert [one["rhythm"]["present"] for one in listed] == ["digest", "every_issue"]
        clock.now += timedelta(days=5)
        assert find(api, BERT)["rhythm"] == {**every, "present": "digest"}
        body["rhythm"] = "every_issue"
        again = api.done("POST", "/subscribers/confirmed", "subscribers:confirm", json=body)
        assert again == {"id": made["id"], "result": "updated"}
        told = {"present": "digest", "coming": "every_issue", "from_day": "2027-01-01"}
        assert find(api, ANNA)["rhythm"] == told
        answer = api.ask("PATCH", f"/subscribers/{number}", WRITE, json={"rhythm": "hourly"})
        assert problem(answer) == "invalid"
        secret = api.token(WRITE)
    with api_client(publication.context()) as api:
        path = f"/subscribers/{number}"
        answer = api.ask("PATCH", path, json={"rhythm": "digest"}, secret=secret)
        assert problem(answer) == "invalid"
        assert answer.json()["errors"][0]["pointer"] == "/rhythm"
        answer = api.ask("PATCH", path, json={"rhythm": "every_issue"}, secret=secret)
        assert answer.status_code == 204


def test_what_the_api_changed_is_not_undone_by_a_list(api: ApiClient) -> None:
    add_confirmed_subscribers(api.context, ANNA)
    api.done("PATCH", "/subscribers/1", WRITE, json={"topics": ["Bestand"]})
    file = api.context.settings.home / "list.csv"
    file.write_text(f"email,topics\n{ANNA},Kleinstadt\n", encoding="utf-8")
    api.app.subscribers.import_csv(file, consent="letter")
    assert find(api, ANNA)["topics"] == ["Bestand"]


def test_who_is_forgotten_is_gone_from_every_answer(api_on_any_store: ApiClient) -> None:
    api = api_on_any_store
    add_confirmed_subscribers(api.context, ANNA)
    number = find(api, ANNA)["id"]
    path = f"/subscribers/{number}"
    assert api.done("DELETE", path, "subscribers:forget", Idempotency_Key="k") is None
    assert api.done("DELETE", path, "subscribers:forget", Idempotency_Key="k") is None
    assert problem(api.ask("DELETE", path, "subscribers:forget")) == "not-found"
    for method, rest, scope in (
        ("GET", "", READ), ("GET", "/history", READ), ("PATCH", "", WRITE),
        ("POST", "/unsubscribe", WRITE),
    ):  # fmt: skip
        body = {"name": "x"} if method == "PATCH" else None
        assert problem(api.ask(method, path + rest, scope, json=body)) == "not-found"
    answer = api.ask("POST", "/subscribers/find", READ, json={"email": ANNA})
    assert problem(answer) == "not-found"


# --- suppressions


def test_suppressions_are_added_found_listed_and_lifted(api_on_any_store: ApiClient) -> None:
    api = api_on_any_store
    read, write = "suppressions:read", "suppressions:write"
    for target in (ANNA, "@example.net"):
        body = {"target": target, "reason": "asked by phone"}
        assert api.done("POST", "/suppressions", write, json=body) == {"changed": True}
    assert api.done("POST", "/suppressions", write, json={"target": ANNA}) == {"changed": False}
    found = api.done("POST", "/suppressions/find", read, json={"target": "x@example.net"})
    assert (found["key"], found["reason"]) == ("@example.net", "asked by phone")
    assert found["source"] == "api"
    page = api.done("GET", "/suppressions?limit=1", read)
    rest = api.done("GET", f"/suppressions?after={page['next']}", read)
    keys = [one["key"] for one in page["suppressions"] + rest["suppressions"]]
    assert sorted(keys) == ["@example.net", ANNA]
    assert rest["next"] is None
    assert api.done("POST", "/suppressions/remove", write, json={"target": ANNA}) is None
    again = api.ask("POST", "/suppressions/remove", write, json={"target": ANNA})
    assert problem(again) == "not-found"
    for path, scope in (("", write), ("/find", read), ("/remove", write)):
        answer = api.ask("POST", f"/suppressions{path}", scope, json={"target": "kaputt"})
        assert problem(answer) == "invalid"


def test_paging_shows_each_suppression_that_stays_once(
    api_on_any_store: ApiClient, clock: Clock
) -> None:
    """Half of them come at one moment, as a list does; between the pages some are lifted and added."""
    api, read = api_on_any_store, "suppressions:read"
    api.app.suppressions.add([f"n{number:02}@example.org" for number in range(12)])
    for number in range(12, 24):
        clock.now += timedelta(seconds=1)
        api.app.suppressions.add(f"n{number:02}@example.org")
    lifted = [1, 5, 0, 8, 14, 20]
    after: str | None = ""
    shown: list[str] = []
    places: set[str] = set()
    while after is not None:
        page = api.done("GET", f"/suppressions?limit=4&after={after}", read)
        assert "example" not in (page["next"] or "")
        after = page["next"]
        shown += [one["key"] for one in page["suppressions"]]
        if lifted:
            api.app.suppressions.remove(f"n{lifted.pop(0):02}@example.org")
            api.app.suppressions.remove(
                shown[-1]
            )  # the place itself, which comes again as a new one
            clock.now += timedelta(seconds=1)
            api.app.suppressions.add(shown[-1])
            places.add(shown[-1])
    counts = Counter(shown)
    for number in {*range(24)} - {0, 1, 5, 8, 14, 20}:
        key = f"n{number:02}@example.org"
        assert counts[key] == 1 or (key in places and counts[key] > 1), key
    for foreign in ("4", "x" * 40, "_-_-"):
        assert problem(api.ask("GET", f"/suppressions?after={foreign}", read)) == "invalid"


# --- issues


@pytest.fixture
def composed(publication: Publication, api: ApiClient) -> str:
    """The revision of an issue for two subscribers, which nobody has approved."""
    publication.write_essay()
    add_confirmed_subscribers(api.context, ANNA, BERT)
    return api.app.issues.compose(ISSUE, collect=False).revision_id


def decide(api: ApiClient, what: str, revision: str, *scopes: str, issue: str = ISSUE) -> Any:
    scopes = scopes or (f"issues:{what}",)
    return api.ask("POST", f"/issues/{issue}/{what}", *scopes, json={"revision": revision})


def test_an_issue_is_approved_and_queued_by_its_revision(api: ApiClient, composed: str) -> None:
    assert api.done("GET", f"/issues/{ISSUE}", "issues:read")["state"] == "open"
    assert decide(api, "approve", composed).json() == {"issue": ISSUE, "revision": composed}
    queued = decide(api, "send", composed)
    assert queued.status_code == 202
    issue = queued.json()
    assert (issue["state"], issue["audience"], issue["queued"]) == ("sending", 2, 2)
    assert decide(api, "send", composed).json() == issue  # it goes on, and nobody is queued twice
    by = {event.event.value: event.by for event in api.app.issues.history(ISSUE)}
    assert by["approved"].startswith("token token-")
    assert by["queued"].startswith("token token-")
    send.deliver_issue(api.context, api.app.issues.latest())
    [listed] = api.done("GET", "/issues", "issues:read")["issues"]
    assert (listed["sent"], listed["closed"], listed["in_mailbox"]) == (2, True, True)


def test_nothing_is_sent_that_nobody_approved_and_nothing_approved_without_its_scope(
    api: ApiClient, composed: str
) -> None:
    not_these = [scope for scope in ALL_SCOPES if not scope.startswith("issues:a")]
    assert problem(decide(api, "approve", composed, *not_these)) == "forbidden"
    refused = decide(api, "send", composed)
    assert problem(refused) == "refused"
    assert api.done("GET", f"/issues/{ISSUE}", "issues:read")["state"] == "open"
    assert decide(api, "approve", composed).status_code == 200
    but_sending = [scope for scope in ALL_SCOPES if scope != "issues:send"]
    assert problem(decide(api, "send", composed, *but_sending)) == "forbidden"
    assert api.done("GET", f"/issues/{ISSUE}", "issues:read")["queued"] == 0


def test_refusals_are_the_command_lines_own_sentences(
    publication: Publication, api: ApiClient, composed: str
) -> None:
    sentence = publication.run("issue", "send", ISSUE, code=1).err.strip()
    refused = decide(api, "send", composed).json()
    assert "nicht freigegeben" in sentence
    assert refused["detail"] in sentence
    assert refused["language"] == "de"
    publication.write_essay("Noch ein Essay")
    newer = api.app.issues.compose(ISSUE, collect=False).revision_id
    assert newer != composed
    for what in ("approve", "send"):
        assert "nicht die neueste" in decide(api, what, composed).json()["detail"]
        assert "hat keine Revision" in decide(api, what, "0" * 64).json()["detail"]
    for issue in ("2026-11-27", "2026-13-45", "x", "2026-11-26-c1"):
        assert problem(decide(api, "send", composed, issue=issue)) == "not-found"
        answer = api.ask("GET", f"/issues/{issue}", "issues:read")
        assert problem(answer) == "not-found"


def test_a_cancelled_issue_is_refused_and_a_paused_one_goes_on(
    api: ApiClient, composed: str
) -> None:
    assert decide(api, "approve", composed).status_code == 200
    assert decide(api, "send", composed).status_code == 202
    assert problem(decide(api, "send", "0" * 64)) == "refused"
    api.app.issues.pause(ISSUE)
    assert decide(api, "send", composed).json()["state"] == "sending"
    api.app.issues.cancel(ISSUE)
    for what in ("send", "approve"):
        assert problem(decide(api, what, composed)) == "refused"
    assert api.done("GET", f"/issues/{ISSUE}", "issues:read")["cancelled"] == 2


def test_an_edit_since_the_approval_is_refused(
    publication: Publication, api: ApiClient, composed: str
) -> None:
    assert decide(api, "approve", composed).status_code == 200
    for path in (publication.home / "content/essays").glob("*.md"):
        path.write_text(path.read_text(encoding="utf-8") + "\nNoch ein Satz.\n", encoding="utf-8")
    refused = decide(api, "send", composed)
    assert problem(refused) == "refused"
    assert str(publication.home) not in refused.text


# --- events


def test_events_are_read_from_a_cursor_and_hold_no_address(
    publication: Publication, api_on_any_store: ApiClient
) -> None:
    api = api_on_any_store
    start = api.done("GET", "/events/latest", "events:read")["next"]
    add_confirmed_subscribers(api.context, ANNA, BERT)
    api.app.suppressions.add(BERT, reason=f"{BERT} asked")
    api.app.subscribers.unsubscribe(ANNA)
    api.app.subscribers.forget(ANNA)
    kinds, cursor, more = [], start, True
    texts = ""
    while more:
        answer = api.ask("GET", f"/events?after={cursor}&limit=2", "events:read")
        page = answer.json()
        texts += answer.text
        kinds += [event["kind"] for event in page["events"]]
        cursor, more = page["next"], page["more"]
    assert kinds == [
        "subscriber.confirmed", "subscriber.confirmed", "subscriber.suppressed",
        "subscriber.left", "subscriber.forgotten",
    ]  # fmt: skip
    assert "@" not in texts
    assert api.done("GET", f"/events?after={cursor}", "events:read")["events"] == []
    sign_up(api, "neu@example.org")
    assert api.done("GET", f"/events?after={cursor}", "events:read")["events"] == []


def test_a_cursor_after_which_something_may_be_missing_is_refused(api: ApiClient) -> None:
    add_confirmed_subscribers(api.context, ANNA)
    old = api.done("GET", "/events", "events:read")["next"]
    clock: Any = api.context.clock
    clock.now += timedelta(days=91)
    add_confirmed_subscribers(api.context, BERT)
    api.app.subscribers.tidy()
    assert problem(api.ask("GET", f"/events?after={old}", "events:read")) == "cursor-gone"
    assert problem(api.ask("GET", "/events?after=17", "events:read")) == "cursor-gone"
    [event] = api.done("GET", "/events", "events:read")["events"]
    assert event["kind"] == EventKind.SUBSCRIBER_CONFIRMED
    latest = api.done("GET", "/events/latest", "events:read")["next"]
    assert api.done("GET", f"/events?after={latest}", "events:read")["events"] == []


# --- what is written elsewhere


def test_no_address_gets_into_a_log_a_problem_or_an_address_of_a_request(
    api: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    made = {"email": BERT, "consent": CONSENT}
    for method, path, body in (
        ("POST", "/subscribers", {"email": ANNA, "source": "form"}),
        ("POST", "/subscribers", {"email": f"{ANNA}@", "source": "form"}),
        ("POST", "/subscribers", {ANNA: ANNA}),
        ("POST", "/subscribers/confirmed", made),
        ("POST", "/subscribers/find", {"email": ANNA}),
        ("POST", "/subscribers/1/unsubscribe", None),
        ("POST", "/suppressions", {"target": ANNA, "reason": "x"}),
        ("POST", "/suppressions", {"target": f"{ANNA} x"}),
        ("POST", "/suppressions/remove", {"target": "weg@example.org"}),
        ("DELETE", "/subscribers/1", None),
        ("GET", f"/subscribers/{ANNA}", None),
        ("GET", f"/subscribers?email={ANNA}", None),
        ("GET", "/subscribers?after=x", None),
    ):
        answer = api.ask(
            method, path, *ALL_SCOPES, json=body, Idempotency_Key=f"{ANNA}-{path}"[:99]
        )
        if answer.status_code >= 400:
            assert "@" not in answer.text.replace("name@example.org", "").replace("@domain", "")
    said = [record.getMessage() for record in caplog.records if record.name.startswith("upcycle")]
    assert any("operation=addSubscriber" in line for line in said)
    assert not [line for line in said if "@" in line or "anna" in line or "bert" in line]
