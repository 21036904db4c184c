"""DKIM, DMARC, MX and PTR of the sender's domain, resolved at a real DNS server on loopback."""

from __future__ import annotations

import pytest

from upcycle_news.diagnostics.dns import dmarc, sender_domain
from upcycle_news.diagnostics.dns.dkim import Key
from upcycle_news.diagnostics.dns.resolver import Answer, Resolver
from upcycle_news.diagnostics.dns.sender_domain import Sender
from upcycle_news.diagnostics.results import CheckResult, State
from upcycle_news.mail.dkim import DkimSigner, generate

from .nameserver import NameServer, Zone

DOMAIN = "example.org"
VALID_ZONE: dict[tuple[str, str], list[str]] = {
    (DOMAIN, "MX"): ["10 mx.example.org.", "20 mx2.example.org."],
    ("mx.example.org", "A"): ["192.0.2.1"],
    (DOMAIN, "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"'],
    ("_dmarc.example.org", "TXT"): ['"v=DMARC1; p=reject"'],
    ("smtp.example.net", "A"): ["192.0.2.25"],
}
SENDER = Sender(DOMAIN, DOMAIN, relays=("smtp.example.net",))


def evaluated(zone: Zone, sender: Sender = SENDER, **server: object) -> list[CheckResult]:
    with NameServer(zone, **server) as dns:  # type: ignore[arg-type]
        resolver = Resolver(dns.address, 2.0)
        answers = resolver.resolve_until_complete(lambda known: sender_domain.needed(sender, known))
    return sender_domain.evaluate(sender, answers)


def result_of(check: str, results: list[CheckResult]) -> CheckResult:
    [result] = [result for result in results if result.check == check]
    return result


def txt(value: str) -> list[str]:
    """A TXT record, in strings of 255 characters."""
    return [" ".join(f'"{value[at : at + 255]}"' for at in range(0, len(value), 255))]


def test_a_domain_with_valid_records_has_no_problem() -> None:
    results = evaluated(VALID_ZONE)
    assert {result.check: str(result.state) for result in results} == {
        "spf": "ok",
        "dkim": "skipped",
        "dmarc": "ok",
        "mx": "ok",
        "ptr": "skipped",
    }
    assert "doctor.dkim_selectors" in str(result_of("dkim", results).fix)


# --- DKIM


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_our_dkim_key_is_compared_with_the_published_one(kind) -> None:
    generated, other = generate(kind), generate(kind)
    signer = DkimSigner.load(DOMAIN, "News2026", generated.pem, kind)
    assert signer.record == generated.record
    sender = Sender(DOMAIN, DOMAIN, keys=(Key(DOMAIN, "News2026", signer.record),))
    name = "news2026._domainkey.example.org"

    result = result_of(
        "dkim", evaluated({**VALID_ZONE, (name, "TXT"): txt(generated.record)}, sender)
    )
    assert result.state is State.OK
    spaced = generated.record.replace("; ", " ;  ").replace("p=", "p= ")
    assert (
        result_of("dkim", evaluated({**VALID_ZONE, (name, "TXT"): txt(spaced)}, sender)).state
        is State.OK
    )

    result = result_of("dkim", evaluated({**VALID_ZONE, (name, "TXT"): txt(other.record)}, sender))
    assert result.state is State.PROBLEM
    assert "another key" in str(result.finding or "")
    [record] = result.records
    assert record.value == generated.record
    published = record.as_zone_line().partition(" IN TXT ")[2]
    assert (
        result_of("dkim", evaluated({**VALID_ZONE, (name, "TXT"): [published]}, sender)).state
        is State.OK
    )


@pytest.mark.parametrize(
    ("values", "state", "text"),
    [
        ([], "problem", "not published"),
        (txt("v=DKIM1; k=rsa; p="), "problem", "revoked"),
        ([*txt("v=DKIM1; p=AAAA"), *txt("v=DKIM1; p=BBBB")], "problem", "2 records"),
        (txt("v=DKIM1; t=y; p=AAAA"), "warning", "tested"),
        (txt("v=DKIM1; p=AAAA"), "ok", "published"),
        (txt("no key at all"), "problem", "revoked"),
    ],
)
def test_the_dkim_key_of_the_relay_is_looked_up_too(
    values: list[str], state: str, text: str
) -> None:
    zone = {**VALID_ZONE, ("s1._domainkey.example.org", "TXT"): values}
    sender = Sender(DOMAIN, DOMAIN, keys=(Key(DOMAIN, "s1"),))
    result = result_of("dkim", evaluated(zone, sender))
    assert result.state == state
    assert text in str(result.finding or "")


# --- DMARC


def policy(record: str, sender: Sender, name: str = "_dmarc.example.org") -> CheckResult:
    zone = {key: value for key, value in VALID_ZONE.items() if key[0] != "_dmarc.example.org"}
    for domain in sender.domains:
        zone[domain, "TXT"] = ['"v=spf1 -all"']
    return result_of("dmarc", evaluated({**zone, (name, "TXT"): [f'"{record}"']}, sender))


def test_a_subdomain_gets_its_parents_policy() -> None:
    sender = Sender("news.example.org", "bounce.example.org")
    result = policy("v=DMARC1; p=reject; sp=quarantine", sender)
    assert result.state is State.OK
    assert "p=quarantine, published at example.org" in str(result.finding or "")


def test_strict_alignment_wants_the_same_domain() -> None:
    sender = Sender("example.org", "bounce.example.org", keys=(Key("example.net", "a", "p=A"),))
    assert policy("v=DMARC1; p=reject", sender).state is State.OK
    result = policy("v=DMARC1; p=reject; aspf=s", sender)
    assert result.state is State.PROBLEM
    assert "bounce.example.org" in str(result.finding or "")


def test_an_envelope_of_another_domain_needs_the_relays_signature() -> None:
    sender = Sender("example.org", "example.net")
    assert policy("v=DMARC1; p=reject", sender).state is State.WARNING
    signed = Sender("example.org", "example.net", keys=(Key("example.org", "a", "p=A"),))
    result = policy("v=DMARC1; p=reject", signed)
    assert result.state is State.OK
    assert "our signature" in str(result.finding or "")


def test_the_policy_none_is_ok_and_its_effect_is_explained() -> None:
    result = policy("v=DMARC1; p=none", Sender("example.org", "example.org"))
    assert result.state is State.OK
    assert "only reported" in str(result.impact or "")


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ([], "warning"),
        (['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'], "problem"),
        (['"v=DMARC1; rua=mailto:reports@example.org"'], "warning"),
        (['"v=DMARC1; p=maybe"'], "warning"),
        (['"v=dmarc2; p=none"'], "warning"),
    ],
)
def test_missing_or_invalid_dmarc_records_are_reported(values: list[str], state: str) -> None:
    result = result_of("dmarc", evaluated({**VALID_ZONE, ("_dmarc.example.org", "TXT"): values}))
    assert result.state == state
    assert "@" not in str(result)


def test_the_organizational_domain_is_found_by_the_tree_walk() -> None:
    def answers_for(zone: dict[str, str]) -> dict[tuple[str, str], Answer]:
        return {(f"_dmarc.{name}", "TXT"): Answer((value,)) for name, value in zone.items()}

    plain = answers_for({"example.org": "v=DMARC1; p=none"})
    assert dmarc.organizational_domain("a.b.example.org", plain) == "example.org"
    suffix = answers_for({"example.org": "v=DMARC1; psd=y", "b.example.org": "v=DMARC1; p=none"})
    assert dmarc.organizational_domain("a.b.example.org", suffix) == "b.example.org"
    boundary = answers_for(
        {"example.org": "v=DMARC1; p=none", "b.example.org": "v=DMARC1; p=none; psd=n"}
    )
    assert dmarc.organizational_domain("a.b.example.org", boundary) == "b.example.org"
    assert not dmarc.aligned("b.example.org", "example.org", "r", boundary)
    assert dmarc.organizational_domain("a.example.org", {}) == "a.example.org"


# --- MX and PTR


@pytest.mark.parametrize(
    ("zone", "state", "text"),
    [
        ({(DOMAIN, "MX"): ["0 ."]}, "problem", "null MX"),
        ({(DOMAIN, "MX"): []}, "problem", "no MX"),
        ({(DOMAIN, "MX"): [], (DOMAIN, "A"): ["192.0.2.80"]}, "warning", "only an address"),
        ({(DOMAIN, "MX"): ["10 gone.example.org."]}, "problem", "no address"),
        ({}, "ok", "mx.example.org"),
    ],
)
def test_the_domain_must_receive_replies_and_bounces(zone: Zone, state: str, text: str) -> None:
    result = result_of("mx", evaluated({**VALID_ZONE, **zone}))
    assert result.state == state
    assert text in str(result.finding or "")


def test_replies_and_bounces_may_go_to_two_domains() -> None:
    results = evaluated(VALID_ZONE, Sender("example.org", "bounce.example.org"))
    states = {result.about: str(result.state) for result in results if result.check == "mx"}
    assert states == {"example.org": "ok", "bounce.example.org": "problem"}


@pytest.mark.parametrize(
    ("names_of", "addresses", "state"),
    [
        ([], [], "problem"),
        (["mail.example.org."], ["192.0.2.9"], "problem"),
        (["mail.example.org."], [], "problem"),
        (["mail.example.org."], ["192.0.2.7"], "ok"),
    ],
)
def test_our_own_address_needs_a_ptr_name_that_resolves_back(
    names_of: list[str], addresses: list[str], state: str
) -> None:
    zone = {
        **VALID_ZONE,
        ("7.2.0.192.in-addr.arpa", "PTR"): names_of,
        ("mail.example.org", "A"): addresses,
    }
    result = result_of("ptr", evaluated(zone, Sender(DOMAIN, DOMAIN, own_addresses=("192.0.2.7",))))
    assert result.state == state
    assert bool(result.records) == (state == "problem")


def test_an_ipv6_address_is_looked_up_too() -> None:
    from upcycle_news.diagnostics.dns.resolver import reverse_name

    zone = {
        **VALID_ZONE,
        (reverse_name("2001:db8::7"), "PTR"): ["mail.example.org."],
        ("mail.example.org", "AAAA"): ["2001:db8:0::7"],
    }
    sender = Sender(DOMAIN, DOMAIN, own_addresses=("2001:db8::7",))
    assert result_of("ptr", evaluated(zone, sender)).state is State.OK


# --- name servers that fail


def test_a_dead_name_server_is_one_result_and_is_queried_for_one_round_only() -> None:
    with NameServer({}, silent=True) as dns:
        resolver = Resolver(dns.address, 0.3)
        answers = resolver.resolve_until_complete(lambda known: sender_domain.needed(SENDER, known))
    [result] = sender_domain.evaluate(SENDER, answers)
    assert (result.check, result.state) == ("resolver", State.PROBLEM)
    assert "no DNS server answered within 0.3 s" in str(result.finding or "")
    first_round = sender_domain.needed(SENDER, {})
    assert set(dns.queries) <= first_round


def test_a_servfail_is_reported_and_the_rest_is_evaluated() -> None:
    results = evaluated(VALID_ZONE, broken=["_dmarc.example.org"])
    assert result_of("dmarc", results).state is State.WARNING
    assert "SERVFAIL" in str(result_of("dmarc", results).finding)
    assert result_of("spf", results).state is State.OK


@pytest.mark.parametrize("name", ["a" * 70 + ".example.org", "a..example.org"])
def test_an_invalid_name_is_an_answer_without_a_query(name: str) -> None:
    with NameServer({}) as dns:
        assert "not a name" in str(Resolver(dns.address, 1.0).resolve((name, "A")).trouble)
        assert dns.queries == []
