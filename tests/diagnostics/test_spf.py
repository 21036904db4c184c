"""What a domain's SPF is worth to us."""

from __future__ import annotations

import pytest

from upcycle_news.diagnostics.dns import spf
from upcycle_news.diagnostics.dns import spf as spf_module
from upcycle_news.diagnostics.dns.resolver import Answer, Answers
from upcycle_news.diagnostics.results import Line, State

DOMAIN = "news.example.org"
RELAYS = (("smtp.relay.example.net", ("192.0.2.25",)),)
COVERED = "v=spf1 include:_spf.relay.example.net ~all"
NETWORK = {("_spf.relay.example.net", "TXT"): ("v=spf1 ip4:192.0.2.0/24 -all",)}


def known(**records: tuple[str, ...]) -> Answers:
    """The TXT records of DOMAIN, and the relay's include."""
    told = {(DOMAIN, "TXT"): records.get("txt", ()), **NETWORK}
    return {key: Answer(values) for key, values in told.items()}


def judged(*txt: str, relays=RELAYS, own=(), **more: tuple[str, ...]) -> list[Line]:
    answers = {**known(txt=txt), **{(n, "TXT"): Answer(v) for n, v in more.items()}}
    return spf_module.verdict(DOMAIN, answers, relays=relays, own_addresses=own)


def only(lines: list[Line]) -> Line:
    [line] = lines
    assert line.check == "spf"
    return line


def test_a_record_that_names_the_relay_is_fine() -> None:
    line = only(judged(COVERED, "google-site-verification=abc"))
    assert line.state is State.OK
    assert "1 of 10 lookups, ends in ~all" in line.found


def test_without_a_record_the_exact_one_is_given() -> None:
    line = only(judged("some other text"))
    assert line.state is State.PROBLEM
    [record] = line.records
    assert (record.name, record.type) == (DOMAIN, "TXT")
    assert record.value == "v=spf1 a:smtp.relay.example.net ~all"


@pytest.mark.parametrize(
    ("host", "include"),
    [("smtp.eu.mailgun.org", "mailgun.org"), ("in-v3.mailjet.com", "spf.mailjet.com")],
)
def test_the_include_of_a_known_relay_is_named(host: str, include: str) -> None:
    line = only(judged(relays=((host, ()),)))
    assert line.records[0].value == f"v=spf1 include:{include} ~all"
    covered = f"v=spf1 include:{include} ~all"
    answers = {(DOMAIN, "TXT"): Answer((covered,)), (include, "TXT"): Answer(("v=spf1 -all",))}
    [line] = spf_module.verdict(DOMAIN, answers, relays=((host, ()),), own_addresses=())
    assert line.state is State.OK


def test_two_records_are_none_and_become_one() -> None:
    line = only(judged("v=spf1 a -all", "v=spf1 mx a ~all"))
    assert line.state is State.PROBLEM
    assert line.records[0].value == "v=spf1 a mx ~all"


@pytest.mark.parametrize(("end", "state"), [("+all", "problem"), ("all", "problem")])
def test_a_record_that_allows_everybody_is_red(end: str, state: str) -> None:
    line = only(judged(f"v=spf1 include:_spf.relay.example.net {end}"))
    assert line.state == state
    assert line.records[0].value == COVERED


@pytest.mark.parametrize("end", ["?all", ""])
def test_a_record_without_an_end_is_weak(end: str) -> None:
    line = only(judged(f"v=spf1 include:_spf.relay.example.net {end}".strip()))
    assert line.state is State.WARNING
    assert line.records[0].value == COVERED


def test_a_record_that_does_not_name_the_relay_gets_its_address() -> None:
    line = only(judged("v=spf1 ip4:198.51.100.1 -all"))
    assert line.state is State.WARNING
    assert line.records[0].value == "v=spf1 ip4:198.51.100.1 a:smtp.relay.example.net -all"


def test_our_own_addresses_must_be_allowed_all_of_them() -> None:
    own = ("192.0.2.7", "2001:db8::7")
    line = only(judged(COVERED, own=own, relays=()))
    assert line.state is State.PROBLEM
    assert "2001:db8::7" in line.found
    assert "192.0.2.7" not in line.found
    mended = line.records[0].value
    assert mended == "v=spf1 include:_spf.relay.example.net ip6:2001:db8::7 ~all"
    assert only(judged(mended, own=own, relays=())).state is State.OK


def test_more_than_ten_lookups_void_the_record() -> None:
    includes = {f"s{n}.example.net": ("v=spf1 ip4:192.0.2.25 -all",) for n in range(11)}
    terms = " ".join(f"include:{name}" for name in includes)
    line = only(judged(f"v=spf1 {terms} ~all", **includes))
    assert line.state is State.PROBLEM
    assert "needs 11 DNS lookups" in line.found
    ten = terms.rpartition(" ")[0]
    assert only(judged(f"v=spf1 {ten} ~all", **includes)).state is State.OK


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
def test_a_record_with_a_mistake_is_red(record: str) -> None:
    line = only(judged(record, **{"nobody.example.net": ()}))
    assert line.state is State.PROBLEM
    assert "permerror" in line.meaning


def test_an_unknown_modifier_is_no_mistake() -> None:
    record = COVERED.replace("~all", "exp=why.example.net op=strict ~all")
    assert only(judged(record)).state is State.OK


def test_a_redirect_counts_as_the_records_own_end() -> None:
    redirected = {"_spf.example.org": ("v=spf1 include:_spf.relay.example.net +all",)}
    line = only(judged("v=spf1 redirect=_spf.example.org", **redirected))
    assert line.state is State.PROBLEM
    assert "+all" in line.found


def test_an_includes_end_is_not_the_records_own() -> None:
    include = {"wide.example.net": ("v=spf1 ip4:192.0.2.0/24 +all",)}
    line = only(judged("v=spf1 include:wide.example.net -all", **include))
    assert line.state is State.OK
    assert "ends in -all" in line.found


def test_mx_and_a_are_followed_to_their_networks() -> None:
    answers = {
        (DOMAIN, "TXT"): Answer(("v=spf1 a/24 mx -all",)),
        (DOMAIN, "A"): Answer(("192.0.2.1",)),
        (DOMAIN, "AAAA"): Answer(),
        (DOMAIN, "MX"): Answer(("10 mx.example.org",)),
    }
    found = spf.walk(DOMAIN, answers)
    assert found.needed == {("mx.example.org", "A"), ("mx.example.org", "AAAA")}
    assert found.lookups == 2
    assert spf_module.covers(found.networks, "192.0.2.200")
    assert not spf_module.covers(found.networks, "198.51.100.1")


def test_a_chain_of_includes_without_end_is_given_up() -> None:
    answers = {
        (f"s{n}.example.net", "TXT"): Answer((f"v=spf1 include:s{n + 1}.example.net -all",))
        for n in range(200)
    }
    assert spf.walk("s0.example.net", answers).lookups < 60


def test_no_answer_is_no_verdict() -> None:
    answers = {(DOMAIN, "TXT"): Answer(trouble="no DNS server answered within 5 s")}
    [line] = spf_module.verdict(DOMAIN, answers, relays=RELAYS, own_addresses=())
    assert line.state is State.WARNING
    assert "no DNS server answered" in line.found


def test_without_known_addresses_nothing_is_claimed_about_them() -> None:
    line = only(judged(COVERED, relays=()))
    assert line.state is State.OK
    assert "well-formed" in line.found
    assert "doctor.outgoing_ips" in line.meaning


def test_no_record_is_proposed_that_would_call_our_own_mail_forged() -> None:
    line = only(judged("some other text", relays=()))
    assert line.state is State.PROBLEM
    assert line.records == ()
    assert "doctor.outgoing_ips" in line.cure
