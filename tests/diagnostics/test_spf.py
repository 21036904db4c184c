"""Evaluation of SPF records."""

from __future__ import annotations

import pytest

from upcycle_news.diagnostics.dns import spf
from upcycle_news.diagnostics.dns.resolver import Answer, Answers
from upcycle_news.diagnostics.results import CheckResult, State

DOMAIN = "news.example.org"
RELAYS = (("smtp.relay.example.net", ("192.0.2.25",)),)
COVERED = "v=spf1 include:_spf.relay.example.net ~all"
NETWORK = {("_spf.relay.example.net", "TXT"): ("v=spf1 ip4:192.0.2.0/24 -all",)}


def known(**records: tuple[str, ...]) -> Answers:
    """The TXT records of DOMAIN, and the relay's include."""
    zone = {(DOMAIN, "TXT"): records.get("txt", ()), **NETWORK}
    return {key: Answer(values) for key, values in zone.items()}


def evaluated(*txt: str, relays=RELAYS, own=(), **more: tuple[str, ...]) -> list[CheckResult]:
    answers = {**known(txt=txt), **{(n, "TXT"): Answer(v) for n, v in more.items()}}
    return spf.evaluate(DOMAIN, answers, relays=relays, own_addresses=own)


def only(results: list[CheckResult]) -> CheckResult:
    [result] = results
    assert result.check == "spf"
    return result


def test_a_record_that_names_the_relay_is_ok() -> None:
    result = only(evaluated(COVERED, "google-site-verification=abc"))
    assert result.state is State.OK
    assert "1 of 10 lookups, ends in ~all" in str(result.finding or "")


def test_a_missing_record_is_proposed_exactly() -> None:
    result = only(evaluated("some other text"))
    assert result.state is State.PROBLEM
    [record] = result.records
    assert (record.name, record.type) == (DOMAIN, "TXT")
    assert record.value == "v=spf1 a:smtp.relay.example.net ~all"


@pytest.mark.parametrize(
    ("host", "include"),
    [("smtp.eu.mailgun.org", "mailgun.org"), ("in-v3.mailjet.com", "spf.mailjet.com")],
)
def test_the_include_of_a_known_provider_is_proposed(host: str, include: str) -> None:
    result = only(evaluated(relays=((host, ()),)))
    assert result.records[0].value == f"v=spf1 include:{include} ~all"
    covered = f"v=spf1 include:{include} ~all"
    answers = {(DOMAIN, "TXT"): Answer((covered,)), (include, "TXT"): Answer(("v=spf1 -all",))}
    [result] = spf.evaluate(DOMAIN, answers, relays=((host, ()),), own_addresses=())
    assert result.state is State.OK


def test_two_records_are_a_problem_and_merged_into_one() -> None:
    result = only(evaluated("v=spf1 a -all", "v=spf1 mx a ~all"))
    assert result.state is State.PROBLEM
    assert result.records[0].value == "v=spf1 a mx ~all"


@pytest.mark.parametrize(("end", "state"), [("+all", "problem"), ("all", "problem")])
def test_a_record_that_allows_every_sender_is_a_problem(end: str, state: str) -> None:
    result = only(evaluated(f"v=spf1 include:_spf.relay.example.net {end}"))
    assert result.state == state
    assert result.records[0].value == COVERED


@pytest.mark.parametrize("end", ["?all", ""])
def test_a_record_without_an_all_term_is_a_warning(end: str) -> None:
    result = only(evaluated(f"v=spf1 include:_spf.relay.example.net {end}".strip()))
    assert result.state is State.WARNING
    assert result.records[0].value == COVERED


def test_a_record_that_does_not_name_the_relay_gets_its_address() -> None:
    result = only(evaluated("v=spf1 ip4:198.51.100.1 -all"))
    assert result.state is State.WARNING
    assert result.records[0].value == "v=spf1 ip4:198.51.100.1 a:smtp.relay.example.net -all"


def test_all_of_our_own_addresses_must_be_allowed() -> None:
    own = ("192.0.2.7", "2001:db8::7")
    result = only(evaluated(COVERED, own=own, relays=()))
    assert result.state is State.PROBLEM
    assert "2001:db8::7" in str(result.finding or "")
    assert "192.0.2.7" not in str(result.finding or "")
    corrected = result.records[0].value
    assert corrected == "v=spf1 include:_spf.relay.example.net ip6:2001:db8::7 ~all"
    assert only(evaluated(corrected, own=own, relays=())).state is State.OK


def test_more_than_ten_lookups_are_a_problem() -> None:
    includes = {f"s{n}.example.net": ("v=spf1 ip4:192.0.2.25 -all",) for n in range(11)}
    terms = " ".join(f"include:{name}" for name in includes)
    result = only(evaluated(f"v=spf1 {terms} ~all", **includes))
    assert result.state is State.PROBLEM
    assert "needs 11 DNS lookups" in str(result.finding or "")
    ten = terms.rpartition(" ")[0]
    assert only(evaluated(f"v=spf1 {ten} ~all", **includes)).state is State.OK


@pytest.mark.parametrize(("count", "state"), [(2, "ok"), (3, "problem")])
def test_more_than_two_hosts_without_an_address_are_a_problem(count: int, state: str) -> None:
    hosts = [f"gone{n}.example.net" for n in range(count)]
    record = " ".join(["v=spf1", *(f"a:{host}" for host in hosts), COVERED.removeprefix("v=spf1 ")])
    answers = {**known(txt=(record,)), **{(h, k): Answer() for h in hosts for k in ("A", "AAAA")}}
    result = only(spf.evaluate(DOMAIN, answers, relays=RELAYS, own_addresses=()))
    assert result.state == state
    assert ("without an address" in str(result.finding or "")) == (state == "problem")


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 includes:_spf.relay.example.net ~all",
        "v=spf1 ip4:192.0.2.999 ~all",
        "v=spf1 ip4:nonsense ~all",
        "v=spf1 include: ~all",
        "v=spf1 include:nobody.example.net ~all",
        f"v=spf1 include:{DOMAIN} ~all",
        "v=spf1 include ~all",
    ],
)
def test_an_invalid_record_is_a_problem(record: str) -> None:
    result = only(evaluated(record, **{"nobody.example.net": ()}))
    assert result.state is State.PROBLEM
    assert "permerror" in str(result.impact or "")


def test_an_unknown_modifier_is_allowed() -> None:
    record = COVERED.replace("~all", "exp=why.example.net op=strict ~all")
    assert only(evaluated(record)).state is State.OK


@pytest.mark.parametrize("term", ["include:_spf.relay.example.net", "ip4:192.0.2.0/24"])
def test_terms_after_all_do_not_count(term: str) -> None:
    """Receivers stop at `all` (RFC 7208, section 5.1)."""
    assert only(evaluated(f"v=spf1 {term} ~all")).state is State.OK
    result = only(evaluated(f"v=spf1 ~all {term}"))
    assert result.state is State.WARNING
    assert "does not seem to name the relay" in str(result.finding or "")


def test_the_all_term_of_a_redirect_counts() -> None:
    redirected = {"_spf.example.org": ("v=spf1 include:_spf.relay.example.net +all",)}
    result = only(evaluated("v=spf1 redirect=_spf.example.org", **redirected))
    assert result.state is State.PROBLEM
    assert "+all" in str(result.finding or "")


def test_the_all_term_of_an_include_does_not_count() -> None:
    include = {"wide.example.net": ("v=spf1 ip4:192.0.2.0/24 +all",)}
    result = only(evaluated("v=spf1 include:wide.example.net -all", **include))
    assert result.state is State.OK
    assert "ends in -all" in str(result.finding or "")


def test_mx_and_a_terms_are_resolved_to_networks() -> None:
    answers = {
        (DOMAIN, "TXT"): Answer(("v=spf1 a/24 mx -all",)),
        (DOMAIN, "A"): Answer(("192.0.2.1",)),
        (DOMAIN, "AAAA"): Answer(),
        (DOMAIN, "MX"): Answer(("10 mx.example.org",)),
    }
    evaluation = spf.evaluate_record(DOMAIN, answers)
    assert evaluation.needed == {("mx.example.org", "A"), ("mx.example.org", "AAAA")}
    assert evaluation.lookups == 2
    assert spf.covers(evaluation.networks, "192.0.2.200")
    assert not spf.covers(evaluation.networks, "198.51.100.1")


def test_an_endless_chain_of_includes_is_followed_to_a_limit() -> None:
    answers = {
        (f"s{n}.example.net", "TXT"): Answer((f"v=spf1 include:s{n + 1}.example.net -all",))
        for n in range(200)
    }
    assert spf.evaluate_record("s0.example.net", answers).lookups < 60


def test_a_failed_query_is_a_warning() -> None:
    answers = {(DOMAIN, "TXT"): Answer(trouble="no DNS server answered within 5 s")}
    [result] = spf.evaluate(DOMAIN, answers, relays=RELAYS, own_addresses=())
    assert result.state is State.WARNING
    assert "no DNS server answered" in str(result.finding or "")


def test_without_known_addresses_the_record_is_only_checked_for_validity() -> None:
    result = only(evaluated(COVERED, relays=()))
    assert result.state is State.OK
    assert "well-formed" in str(result.finding or "")
    assert "doctor.outgoing_ips" in str(result.impact or "")


def test_no_record_is_proposed_that_would_forbid_our_own_mail() -> None:
    result = only(evaluated("some other text", relays=()))
    assert result.state is State.PROBLEM
    assert result.records == ()
    assert "doctor.outgoing_ips" in str(result.fix or "")
