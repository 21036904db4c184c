"""The way out of the newsletter: whether the one-click address answers with our keys, as it must.

A mail program posts to the address in List-Unsubscribe (RFC 8058) and follows no redirect. We ask
with two links: one of nobody, signed by us, which must work and changes nothing, and a foreign one,
which must be refused.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from upcycle_news.diagnostics.results import (
    Line,
    ok,
    problem,
    skipped,
    warning,
)
from upcycle_news.diagnostics.tls import ending, valid_until
from upcycle_news.prefect_api.environment import is_loopback

FOREIGN = "A" * 43  # as long as a token, and nobody's
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass(frozen=True)
class Reply:
    """What came of one request: a status, or the trouble."""

    status: int = 0
    location: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class DoorFacts:
    """What the door answered. `own_*` went to the link we signed, `foreign` to the other.

    Without a token key here (`signed` is false) there is no link of our own to ask with.
    """

    url: str
    certificate: bytes = b""
    signed: bool = True
    own_get: Reply = Reply()
    own_post: Reply = Reply()
    foreign_get: Reply = Reply()
    foreign_post: Reply = Reply()


def look(url: str, own_path: str, foreign_path: str, timeout: float) -> DoorFacts:
    """Ask the door at `url`; paths begin with a slash, an empty `own_path` is not asked."""
    first = ask("GET", url + foreign_path, timeout)
    if first.trouble:
        return DoorFacts(url, foreign_get=first)
    return DoorFacts(
        url,
        certificate=_certificate(url, timeout),
        signed=bool(own_path),
        own_get=ask("GET", url + own_path, timeout) if own_path else Reply(),
        own_post=ask("POST", url + own_path, timeout) if own_path else Reply(),
        foreign_get=first,
        foreign_post=ask("POST", url + foreign_path, timeout),
    )


def ask(method: str, address: str, timeout: float) -> Reply:
    """One request as a mail program makes it: no cookies, no redirects."""
    import httpx

    form: Mapping[str, str] | None = ONE_CLICK if method == "POST" else None
    try:
        answer = httpx.request(
            method,
            address,
            data=form,
            timeout=timeout,
            verify=ssl.create_default_context(),
            trust_env=False,
            follow_redirects=False,
        )
    except httpx.TimeoutException:
        return Reply(trouble=f"no answer within {timeout:g} s")
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Reply(trouble=_why(error))
    return Reply(answer.status_code, answer.headers.get("location", ""))


def _why(error: BaseException) -> str:
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        reason = said.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return f"its certificate cannot be trusted ({reason or 'verification failed'})"
    if "Name or service" in said or "getaddrinfo" in said or "name resolution" in said:
        return "its name is not known in DNS"
    if "refused" in said:
        return "nothing listens there"
    return f"the connection failed ({type(error).__name__})"


def _certificate(url: str, timeout: float) -> bytes:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        return b""
    try:
        with (
            socket.create_connection((parts.hostname, parts.port or 443), timeout) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=parts.hostname) as tls,
        ):
            return tls.getpeercert(binary_form=True) or b""
    except OSError:
        return b""


def verdict(facts: DoorFacts, now: datetime) -> list[Line]:
    """Whether readers can leave with one click."""
    parts = urlsplit(facts.url)
    lines = []
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        lines.append(
            problem(
                "one-click-tls",
                f"publication.public_url {facts.url} is not https",
                meaning="RFC 8058 demands https: mail programs show no unsubscribe button, and "
                "links of readers travel in the clear",
                cure="put a proxy with a certificate before 'upcycle-news web' and write https://",
            )
        )
    elif facts.certificate:
        until = valid_until(facts.certificate)
        soon = ending(
            "one-click-tls", facts.url, until, now, about="", renews="whoever runs the proxy"
        )
        lines += soon or [
            ok("one-click-tls", f"the certificate of {facts.url} is good until {until:%Y-%m-%d}")
        ]
    return [*lines, _answers(facts)]


def _answers(facts: DoorFacts) -> Line:
    dead = "whoever clicks on unsubscribe reaches nothing; what remains to them is 'spam'"
    first = facts.foreign_get
    if first.trouble:
        return problem(
            "one-click",
            f"{facts.url} cannot be reached: {first.trouble}",
            meaning=dead,
            cure="start 'upcycle-news web' and the proxy before it, and check publication.public_url",
        )
    moved = next(
        (
            reply
            for reply in (facts.own_post, facts.foreign_post, facts.own_get, first)
            if 300 <= reply.status < 400
        ),
        None,
    )
    if moved is not None:
        return problem(
            "one-click",
            f"{facts.url} redirects ({moved.status}) to {_place(moved.location)}",
            meaning="a one-click POST follows no redirect (RFC 8058, section 3.1): the click is lost",
            cure="write the address where it leads into publication.public_url",
        )
    if first.status != 404 or facts.foreign_post.status != 404:
        wrong = first.status if first.status != 404 else facts.foreign_post.status
        return problem(
            "one-click",
            f"{facts.url} answers {wrong} to an unsubscribe link of nobody; our pages say 404",
            meaning="something else answers there, not 'upcycle-news web'",
            cure="let the proxy pass /unsubscribe, /confirm, /preferences and /subscribe on to it, "
            "every method",
        )
    if not facts.signed:
        return warning(
            "one-click",
            f"{facts.url} answers, whether with our keys is not known: there are none here yet",
            meaning="a page that answers 404 to every link looks the same",
            cure="make them with 'upcycle-news issue preview', then ask again",
        )
    if (facts.own_get.status, facts.own_post.status) == (404, 404):
        return problem(
            "one-click",
            f"{facts.url} does not know links that are signed here",
            meaning="it runs with other keys than those in var/secrets: no link in our mails works",
            cure="let 'upcycle-news web' run with this publication and this var/secrets",
        )
    if (facts.own_get.status, facts.own_post.status) != (200, 200):
        return problem(
            "one-click",
            f"{facts.url} answers our own link with {facts.own_get.status} to GET and "
            f"{facts.own_post.status} to POST",
            meaning=dead,
            cure="look into the log of 'upcycle-news web' and of the proxy; both methods must pass",
        )
    return ok("one-click", f"{facts.url} takes a one-click POST, without a redirect, with our keys")


def _place(location: str) -> str:
    """Where a redirect leads, without a reader's token."""
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "another path"


def ways(sentence: str, *, possible: bool) -> Line:
    """The ways out that are in force."""
    if possible:
        return ok("leaving", sentence)
    return problem(
        "leaving",
        sentence,
        meaning="the law and every large provider demand a way out",
        cure="set publication.public_url, or sender.unsubscribe_mailto with an [inbox]",
    )


def no_door(why: str) -> Line:
    """There is nothing to ask."""
    return skipped("one-click", why)


def inbox(trouble: str) -> Line:
    """Whether the mailbox can be opened where bounces and requests to leave arrive."""
    if not trouble:
        return ok("inbox", "the inbox can be opened and read")
    found, _, cure = trouble.rpartition(": ")
    return problem(
        "inbox",
        found,
        meaning="bounces are not seen, and who asks by mail to leave is written to again",
        cure=cure,
    )


def no_inbox() -> Line:
    """There is none."""
    return skipped(
        "inbox",
        "there is no [inbox]: nobody reads what comes back, dead addresses stay on the list",
        cure="set inbox.host, or inbox.maildir, to where sender.envelope's mail arrives",
    )
