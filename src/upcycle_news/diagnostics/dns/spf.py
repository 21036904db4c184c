"""What a domain's SPF is worth to us, and the record that would mend it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import chain

from upcycle_news.diagnostics.dns.resolver import Answer, Answers, Question
from upcycle_news.diagnostics.results import (
    Line,
    Record,
    ok,
    problem,
    warning,
)

MAX_LOOKUPS = 10  # RFC 7208, section 4.6.4
_GIVE_UP = 40  # a record that is far beyond the limit is not followed to its end
_TERM = re.compile(
    r"(?P<sign>[+?~-])?(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)"
    r"(?:[:](?P<value>[^/\s][^\s]*?))?(?P<cidr>(?:/\d{1,3}){0,1}(?://\d{1,3})?)\Z",
    re.IGNORECASE,
)
_MODIFIER = re.compile(r"[A-Za-z][A-Za-z0-9._-]*=")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass
class Walk:
    """What a domain's SPF says, includes followed as far as DNS has been asked."""

    lookups: int = 0
    networks: set[Network] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    needed: set[Question] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    all_sign: str = ""


def records_of(answer: Answer) -> tuple[str, ...]:
    """Those of a name's TXT records that are SPF (section 4.5)."""
    return tuple(v for v in answer.values if re.match(r"v=spf1(\s|\Z)", v, re.IGNORECASE))


def walk(domain: str, answers: Answers) -> Walk:
    """Follow the record of `domain`; `needed` is what must be asked before the picture is whole."""
    found = Walk()
    _follow(domain, answers, found, (), outer=True)
    return found


def _follow(
    domain: str, answers: Answers, found: Walk, above: tuple[str, ...], *, outer: bool
) -> None:
    """Read one record; `above` are those that led here, `outer` tells that its end counts."""
    answer = _known((domain, "TXT"), answers, found)
    if answer is None:
        return
    records = records_of(answer)
    if len(records) != 1:
        if above:
            what = "has no SPF record" if not records else "has several SPF records"
            found.errors.append(f"{domain}, which is included, {what}")
        return
    redirect = ""
    ended = False
    for text in records[0].split()[1:]:
        term = _TERM.match(text)
        if term is None:
            if text.lower().startswith("redirect="):
                redirect = text.partition("=")[2].lower().rstrip(".")
            elif not _MODIFIER.match(text):
                found.errors.append(f"'{text[:60]}' in the record of {domain} means nothing")
            continue
        sign, name = term["sign"] or "+", term["name"].lower()
        value = (term["value"] or "").lower().rstrip(".")
        if name == "all":
            ended = True
            if outer:
                found.all_sign = found.all_sign or sign
        elif name in ("ip4", "ip6"):
            _network(name, value + term["cidr"], sign, domain, found)
        else:
            found.lookups += 1
            if found.lookups <= _GIVE_UP and "%" not in value:
                _asking(name, value or domain, term["cidr"], sign, answers, found, (*above, domain))
    if redirect and not ended:
        found.lookups += 1
        if redirect not in above and found.lookups <= _GIVE_UP and "%" not in redirect:
            _follow(redirect, answers, found, (*above, domain), outer=outer)


def _asking(
    name: str,
    value: str,
    cidr: str,
    sign: str,
    answers: Answers,
    found: Walk,
    above: tuple[str, ...],
) -> None:
    """A mechanism that costs a lookup."""
    if name == "include":
        found.names.add(value)
        if value in above:
            found.errors.append(f"{value} includes itself")
        else:
            _follow(value, answers, found, above, outer=False)
        return
    if sign != "+" or name not in ("a", "mx"):
        return
    hosts = [value]
    if name == "mx":
        answer = _known((value, "MX"), answers, found)
        hosts = [one.partition(" ")[2] for one in answer.values] if answer else []
    else:
        found.names.add(value)
    for host in hosts:
        for kind in ("A", "AAAA"):
            answer = _known((host, kind), answers, found)
            for address in answer.values if answer else ():
                widths = re.match(r"(?:/(\d+))?(?://(\d+))?\Z", cidr)
                width = widths and (widths[1] if kind == "A" else widths[2])
                _network(kind, address + (f"/{width}" if width else ""), "+", value, found)


def _network(name: str, text: str, sign: str, domain: str, found: Walk) -> None:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        found.errors.append(f"'{name}:{text[:60]}' in the record of {domain} is no network")
        return
    if sign == "+":
        found.networks.add(network)


def _known(question: Question, answers: Answers, found: Walk) -> Answer | None:
    answer = answers.get(question)
    if answer is None:
        found.needed.add(question)
        return None
    if answer.trouble:
        found.troubles.append(f"{question[0]}: {answer.trouble}")
        return None
    return answer


# What the operators of relays write in their documentation: the end of the relay's name, and what
# their customers include.
_PROVIDERS = (
    ("mailgun.org", "mailgun.org"),
    ("sendgrid.net", "sendgrid.net"),
    ("amazonaws.com", "amazonses.com"),
    ("postmarkapp.com", "spf.mtasv.net"),
    ("mailjet.com", "spf.mailjet.com"),
    ("brevo.com", "spf.brevo.com"),
    ("gmail.com", "_spf.google.com"),
    ("google.com", "_spf.google.com"),
    ("office365.com", "spf.protection.outlook.com"),
)


def verdict(
    domain: str,
    answers: Answers,
    *,
    relays: Iterable[tuple[str, Collection[str]]],
    own_addresses: Collection[str],
) -> list[Line]:
    """What the SPF of our envelope's `domain` is worth.

    `relays` are the relays' names with their addresses, empty when we deliver ourselves from
    `own_addresses`.
    """
    answer = answers.get((domain, "TXT"), Answer(trouble="it was not asked"))
    if answer.trouble:
        return [_unknown(domain, answer.trouble)]
    relays = tuple(relays)
    terms = _terms_for(relays, own_addresses)
    records = records_of(answer)
    if len(records) != 1:
        return [_none(domain, terms) if not records else _several(domain, records)]
    found = walk(domain, answers)
    lines = _faults(domain, records[0], found)
    if not any(line.state == "problem" for line in lines):
        lines += _coverage(domain, records[0], found, relays, own_addresses)
    if lines:
        return lines
    said = f"{found.lookups} of {MAX_LOOKUPS} lookups, ends in {found.all_sign}all"
    if not relays and not own_addresses:
        return [
            ok(
                "spf",
                f"SPF of {domain} is well-formed: {said}",
                meaning="whether it allows the addresses we send from is not known here: they are "
                "not in doctor.outgoing_ips",
                about=domain,
            )
        ]
    allowed = "our addresses" if own_addresses else "our relay"
    return [ok("spf", f"SPF of {domain} names {allowed}: {said}", about=domain)]


def _faults(domain: str, record: str, found: Walk) -> list[Line]:
    lines = []
    if found.errors:
        lines.append(
            problem(
                "spf",
                f"SPF of {domain}: {found.errors[0]}",
                meaning="receivers ignore the whole record (permerror, RFC 7208, section 4.6)",
                cure="mend or remove that part",
                about=domain,
            )
        )
    if found.lookups > MAX_LOOKUPS:
        lines.append(
            problem(
                "spf",
                f"SPF of {domain} needs {found.lookups} DNS lookups, {MAX_LOOKUPS} are allowed",
                meaning="receivers ignore the whole record (permerror, RFC 7208, section 4.6.4)",
                cure="remove includes of services that no longer send for you, or write their "
                "networks as ip4: and ip6:",
                about=domain,
            )
        )
    if found.all_sign == "+":
        lines.append(
            problem(
                "spf",
                f"SPF of {domain} ends in +all",
                meaning="everybody on the Internet may send in your name",
                cure="end the record in ~all",
                about=domain,
                records=[Record(domain, "TXT", re.sub(r"\s\+?all\b", " ~all", record))],
            )
        )
    elif found.all_sign in ("", "?") and not found.errors and not found.troubles:
        lines.append(
            warning(
                "spf",
                f"SPF of {domain} ends in {found.all_sign + 'all' if found.all_sign else 'nothing'}",
                meaning="it says nothing about those who are not named, so forged mail passes",
                cure="end the record in ~all",
                about=domain,
                records=[
                    Record(domain, "TXT", re.sub(r"\s\??all\b", "", record.rstrip()) + " ~all")
                ],
            )
        )
    if found.troubles:
        lines.append(_unknown(domain, found.troubles[0]))
    return lines


def _coverage(
    domain: str,
    record: str,
    found: Walk,
    relays: tuple[tuple[str, Collection[str]], ...],
    own_addresses: Collection[str],
) -> list[Line]:
    missing = [address for address in own_addresses if not covers(found.networks, address)]
    if missing:
        return [
            problem(
                "spf",
                f"SPF of {domain} does not allow {', '.join(missing)}, where our mail comes from",
                meaning="receivers take our mail for forged",
                cure="add the address",
                about=domain,
                records=[Record(domain, "TXT", amended(record, _terms_for((), missing)))],
            )
        ]
    strangers = [
        (host, addresses) for host, addresses in relays if not _named(found, host, addresses)
    ]
    if not strangers or own_addresses:
        return []
    terms = _terms_for(strangers, ())
    return [
        warning(
            "spf",
            f"SPF of {domain} does not seem to name the relay {strangers[0][0]}",
            meaning="receivers may take our mail for forged; a relay may also send from other "
            "addresses than its own name's",
            cure="ask the relay's operator which include: belongs to it; for the relay's own "
            "addresses the record would be",
            about=domain,
            records=[Record(domain, "TXT", amended(record, terms))],
        )
    ]


def covers(networks: Iterable[Network], address: str) -> bool:
    """Whether one of the networks holds the address."""
    known = ipaddress.ip_address(address)
    return any(known in network for network in networks if network.version == known.version)


def _named(found: Walk, host: str, addresses: Collection[str]) -> bool:
    """Whether the record speaks of this relay: its addresses, its operator's include, its domain."""
    family = ".".join(host.lower().split(".")[-2:])
    provider = _provider(host)
    return (
        any(covers(found.networks, address) for address in addresses)
        or any(name == provider or name.endswith(f".{family}") for name in found.names)
        or family in found.names
    )


def _provider(host: str) -> str:
    for end, include in _PROVIDERS:
        if host.lower() == end or host.lower().endswith(f".{end}"):
            return include
    return ""


def _terms_for(
    relays: Iterable[tuple[str, Collection[str]]], own_addresses: Collection[str]
) -> list[str]:
    terms = [f"ip{ipaddress.ip_address(a).version}:{a}" for a in own_addresses]
    for host, _ in relays if not own_addresses else ():
        provider = _provider(host)
        terms.append(f"include:{provider}" if provider else f"a:{host}")
    return terms


def amended(record: str, terms: Iterable[str]) -> str:
    """The record with further terms before its end."""
    words = record.split()
    end = next(
        (n for n, word in enumerate(words) if re.match(r"[+?~-]?all\Z|redirect=", word)), None
    )
    place = len(words) if end is None else end
    return " ".join(chain(words[:place], terms, words[place:]))


def _none(domain: str, terms: list[str]) -> Line:
    cure = "publish one; ask the relay's operator whether it has an include: of its own"
    if not terms:  # a record that names nobody would call our own mail forged
        cure = "configure relays.main, or doctor.outgoing_ips, and ask again for the record"
    return problem(
        "spf",
        f"{domain} has no SPF record",
        meaning="receivers cannot tell who may send in your name; Gmail and others refuse bulk "
        "mail without it or file it as spam",
        cure=cure,
        about=domain,
        records=[Record(domain, "TXT", " ".join(["v=spf1", *terms, "~all"]))] if terms else [],
    )


def _several(domain: str, records: tuple[str, ...]) -> Line:
    terms = list(dict.fromkeys(word for one in records for word in one.split()[1:]))
    ends = [word for word in terms if re.match(r"[+?~-]?all\Z", word)]
    merged = ["v=spf1", *(word for word in terms if word not in ends), (ends or ["~all"])[-1]]
    return problem(
        "spf",
        f"{domain} has {len(records)} SPF records",
        meaning="receivers ignore all of them (permerror, RFC 7208, section 4.5)",
        cure="delete them and publish one that says what all of them said",
        about=domain,
        records=[Record(domain, "TXT", " ".join(merged))],
    )


def _unknown(domain: str, trouble: str) -> Line:
    return warning(
        "spf",
        f"SPF of {domain} is not known: {trouble}",
        meaning="receivers that get no answer either put our mail off",
        cure="try again; if it stays so, ask who runs the domain's name servers",
        about=domain,
    )
