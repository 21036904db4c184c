"""Read SPF (RFC 7208), includes followed: a pure function of what DNS answered."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from upcycle_news.doctor.resolver import Answer, Answers, Question

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
