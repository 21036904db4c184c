"""DKIM, DMARC, MX and PTR of the sender's domain, asked over a real DNS server on loopback."""

from __future__ import annotations

import time

import pytest

from upcycle_news.diagnostics.dns import dmarc, verdicts
from upcycle_news.diagnostics.dns.dkim import Key
from upcycle_news.diagnostics.dns.resolver import Answer, Resolver
from upcycle_news.diagnostics.dns.verdicts import Sender
from upcycle_news.diagnostics.results import Line, State
from upcycle_news.mail.dkim import DkimSigner, generate

from .nameserver import NameServer, Zone

DOMAIN = "example.org"
WELL: dict[tuple[str, str], list[str]] = {
    (DOMAIN, "MX"): ["10 mx.example.org.", "20 mx2.example.org."],
    ("mx.example.org", "A"): ["192.0.2.1"],
    (DOMAIN, "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"'],
    ("_dmarc.example.org", "TXT"): ['"v=DMARC1; p=reject"'],
    ("smtp.example.net", "A"): ["192.0.2.25"],
}
SENDER = Sender(DOMAIN, DOMAIN, relays=("smtp.example.net",))


def judged(zone: Zone, sender: Sender = SENDER, **server: object) -> list[Line]:
    with NameServer(zone, **server) as dns:  # type: ignore[arg-type]
        resolver = Resolver(dns.address, 2.0)
        answers = resolver.ask_until_known(lambda known: verdicts.needed(sender, known))
    return verdicts.verdicts(sender, answers)


def of(check: str, lines: list[Line]) -> Line:
    [line] = [line for line in lines if line.check == check]
    return line


def txt(value: str) -> list[str]:
    """A TXT record, in strings of 255 characters."""
    return [" ".join(f'"{value[at : at + 255]}"' for at in range(0, len(value), 255))]


def test_a_domain_in_order_has_nothing_to_mend() -> None:
    lines = judged(WELL)
    assert {line.check: str(line.state) for line in lines} == {
        "spf": "ok",
        "dkim": "skipped",
        "dmarc": "ok",
        "mx": "ok",
        "ptr": "skipped",
    }
    assert "doctor.dkim_selectors" in of("dkim", lines).cure


# --- DKIM


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_our_key_is_compared_with_the_published_one(kind) -> None:
    made, other = generate(kind), generate(kind)
    signer = DkimSigner.load(DOMAIN, "News2026", made.pem, kind)
    assert signer.record == made.record
    sender = Sender(DOMAIN, DOMAIN, keys=(Key(DOMAIN, "News2026", signer.record),))
    name = "news2026._domainkey.example.org"

    line = of("dkim", judged({**WELL, (name, "TXT"): txt(made.record)}, sender))
    assert line.state is State.OK
    spaced = made.record.replace("; ", " ;  ").replace("p=", "p= ")
    assert of("dkim", judged({**WELL, (name, "TXT"): txt(spaced)}, sender)).state is State.OK

    line = of("dkim", judged({**WELL, (name, "TXT"): txt(other.record)}, sender))
    assert line.state is State.PROBLEM
    assert "another key" in line.found
    [record] = line.records
    assert record.value == made.record
    published = record.as_zone_line().partition(" IN TXT ")[2]
    assert of("dkim", judged({**WELL, (name, "TXT"): [published]}, sender)).state is State.OK


@pytest.mark.parametrize(
    ("values", "state", "said"),
    [
        ([], "problem", "not published"),
        (txt("v=DKIM1; k=rsa; p="), "problem", "revoked"),
        ([*txt("v=DKIM1; p=AAAA"), *txt("v=DKIM1; p=BBBB")], "problem", "2 records"),
        (txt("v=DKIM1; t=y; p=AAAA"), "warning", "tested"),
        (txt("v=DKIM1; p=AAAA"), "ok", "published"),
        (txt("no key at all"), "problem", "revoked"),
    ],
)
def test_the_relays_key_is_looked_up_too(values: list[str], state: str, said: str) -> None:
    zone = {**WELL, ("s1._domainkey.example.org", "TXT"): values}
    sender = Sender(DOMAIN, DOMAIN, keys=(Key(DOMAIN, "s1"),))
    line = of("dkim", judged(zone, sender))
    assert line.state == state
    assert said in line.found


# --- DMARC


def policy(record: str, sender: Sender, name: str = "_dmarc.example.org") -> Line:
    zone = {key: value for key, value in WELL.items() if key[0] != "_dmarc.example.org"}
    for domain in sender.domains:
        zone[domain, "TXT"] = ['"v=spf1 -all"']
    return of("dmarc", judged({**zone, (name, "TXT"): [f'"{record}"']}, sender))


def test_a_subdomain_gets_its_parents_policy() -> None:
    sender = Sender("news.example.org", "bounce.example.org")
    line = policy("v=DMARC1; p=reject; sp=quarantine", sender)
    assert line.state is State.OK
    assert "p=quarantine, written at example.org" in line.found


def test_strict_alignment_wants_the_same_domain() -> None:
    sender = Sender("example.org", "bounce.example.org", keys=(Key("example.net", "a", "p=A"),))
    assert policy("v=DMARC1; p=reject", sender).state is State.OK
    line = policy("v=DMARC1; p=reject; aspf=s", sender)
    assert line.state is State.PROBLEM
    assert "bounce.example.org" in line.found


def test_an_envelope_of_strangers_needs_the_relays_signature() -> None:
    sender = Sender("example.org", "example.net")
    assert policy("v=DMARC1; p=reject", sender).state is State.WARNING
    signed = Sender("example.org", "example.net", keys=(Key("example.org", "a", "p=A"),))
    line = policy("v=DMARC1; p=reject", signed)
    assert line.state is State.OK
    assert "our signature" in line.found


def test_a_policy_that_only_watches_is_fine_and_says_so() -> None:
    line = policy("v=DMARC1; p=none", Sender("example.org", "example.org"))
    assert line.state is State.OK
    assert "only counted" in line.meaning


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ([], "warning"),
        (['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'], "problem"),
        (['"v=DMARC1; rua=mailto:somebody@example.org"'], "warning"),
        (['"v=DMARC1; p=maybe"'], "warning"),
        (['"v=dmarc2; p=none"'], "warning"),
    ],
)
def test_a_dmarc_record_that_says_nothing_is_told(values: list[str], state: str) -> None:
    line = of("dmarc", judged({**WELL, ("_dmarc.example.org", "TXT"): values}))
    assert line.state == state
    assert "@" not in str(line)


def test_the_organisation_is_found_by_walking_up() -> None:
    def told(zone: dict[str, str]) -> dict[tuple[str, str], Answer]:
        return {(f"_dmarc.{name}", "TXT"): Answer((value,)) for name, value in zone.items()}

    plain = told({"example.org": "v=DMARC1; p=none"})
    assert dmarc.organisation("a.b.example.org", plain) == "example.org"
    suffix = told({"example.org": "v=DMARC1; psd=y", "b.example.org": "v=DMARC1; p=none"})
    assert dmarc.organisation("a.b.example.org", suffix) == "b.example.org"
    fenced = told({"example.org": "v=DMARC1; p=none", "b.example.org": "v=DMARC1; p=none; psd=n"})
    assert dmarc.organisation("a.b.example.org", fenced) == "b.example.org"
    assert not dmarc.aligned("b.example.org", "example.org", "r", fenced)
    assert dmarc.organisation("a.example.org", {}) == "a.example.org"


# --- MX and PTR


@pytest.mark.parametrize(
    ("zone", "state", "said"),
    [
        ({(DOMAIN, "MX"): ["0 ."]}, "problem", "null MX"),
        ({(DOMAIN, "MX"): []}, "problem", "no MX"),
        ({(DOMAIN, "MX"): [], (DOMAIN, "A"): ["192.0.2.80"]}, "warning", "only an address"),
        ({(DOMAIN, "MX"): ["10 gone.example.org."]}, "problem", "no address"),
        ({}, "ok", "mx.example.org"),
    ],
)
def test_somebody_must_take_replies_and_bounces(zone: Zone, state: str, said: str) -> None:
    line = of("mx", judged({**WELL, **zone}))
    assert line.state == state
    assert said in line.found


def test_replies_and_bounces_may_go_to_two_domains() -> None:
    lines = judged(WELL, Sender("example.org", "bounce.example.org"))
    told = {line.about: str(line.state) for line in lines if line.check == "mx"}
    assert told == {"example.org": "ok", "bounce.example.org": "problem"}


@pytest.mark.parametrize(
    ("names_of", "addresses", "state"),
    [
        ([], [], "problem"),
        (["mail.example.org."], ["192.0.2.9"], "problem"),
        (["mail.example.org."], [], "problem"),
        (["mail.example.org."], ["192.0.2.7"], "ok"),
    ],
)
def test_our_own_address_needs_a_name_that_leads_back(
    names_of: list[str], addresses: list[str], state: str
) -> None:
    zone = {
        **WELL,
        ("7.2.0.192.in-addr.arpa", "PTR"): names_of,
        ("mail.example.org", "A"): addresses,
    }
    line = of("ptr", judged(zone, Sender(DOMAIN, DOMAIN, own_addresses=("192.0.2.7",))))
    assert line.state == state
    assert bool(line.records) == (state == "problem")


def test_an_ipv6_address_is_looked_up_like_any_other() -> None:
    from upcycle_news.diagnostics.dns.resolver import reverse_name

    zone = {
        **WELL,
        (reverse_name("2001:db8::7"), "PTR"): ["mail.example.org."],
        ("mail.example.org", "AAAA"): ["2001:db8:0::7"],
    }
    sender = Sender(DOMAIN, DOMAIN, own_addresses=("2001:db8::7",))
    assert of("ptr", judged(zone, sender)).state is State.OK


# --- servers that do not help


def test_a_dead_resolver_is_one_sentence_and_does_not_hold_us_up() -> None:
    begun = time.monotonic()
    with NameServer({}, silent=True) as dns:
        resolver = Resolver(dns.address, 0.3)
        answers = resolver.ask_until_known(lambda known: verdicts.needed(SENDER, known))
    [line] = verdicts.verdicts(SENDER, answers)
    assert (line.check, line.state) == ("resolver", State.PROBLEM)
    assert "no DNS server answered within 0.3 s" in line.found
    assert time.monotonic() - begun < 20


def test_a_broken_zone_is_told_and_the_rest_is_judged() -> None:
    lines = judged(WELL, broken=["_dmarc.example.org"])
    assert of("dmarc", lines).state is State.WARNING
    assert "SERVFAIL" in of("dmarc", lines).found
    assert of("spf", lines).state is State.OK


@pytest.mark.parametrize("name", ["a" * 70 + ".example.org", "a..example.org"])
def test_what_is_no_name_is_an_answer_too(name: str) -> None:
    with NameServer({}) as dns:
        assert "not a name" in Resolver(dns.address, 1.0).ask((name, "A")).trouble
        assert dns.asked == []
