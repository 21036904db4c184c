"""Checks of the ways to unsubscribe: the one-click endpoint (RFC 8058) and the inbox.

A mail program posts to the address in List-Unsubscribe and follows no redirect. Two links are
tried: one that our key signed for no subscriber, which must work and changes nothing, and one with
a foreign token, which must be refused.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from upcycle_news.diagnostics.results import (
    CheckResult,
    ok,
    problem,
    skipped,
    warning,
)
from upcycle_news.diagnostics.tls import expiring, valid_until
from upcycle_news.i18n.messages import format_count
from upcycle_news.prefect_api.environment import is_loopback

FOREIGN = "A" * 43  # as long as a token, but signed by no key
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass(frozen=True)
class Reply:
    """The outcome of one request: a status, or in `trouble` why there is none."""

    status: int = 0
    location: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class EndpointFacts:
    """The endpoint's replies: `own_*` to the link that our key signed, `foreign_*` to the other one.

    `signed` is false without a token key: then there is no link of our own to try.
    """

    url: str
    certificate: bytes = b""
    signed: bool = True
    own_get: Reply = Reply()
    own_post: Reply = Reply()
    foreign_get: Reply = Reply()
    foreign_post: Reply = Reply()


def inspect_endpoint(url: str, own_path: str, foreign_path: str, timeout: float) -> EndpointFacts:
    """Send GET and POST to both links below `url`; an empty `own_path` is not tried.

    Paths begin with a slash; `timeout` in seconds for each request.
    """
    foreign_get = request("GET", url + foreign_path, timeout)
    if foreign_get.trouble:
        return EndpointFacts(url, foreign_get=foreign_get)
    return EndpointFacts(
        url,
        certificate=_certificate(url, timeout),
        signed=bool(own_path),
        own_get=request("GET", url + own_path, timeout) if own_path else Reply(),
        own_post=request("POST", url + own_path, timeout) if own_path else Reply(),
        foreign_get=foreign_get,
        foreign_post=request("POST", url + foreign_path, timeout),
    )


def request(method: str, address: str, timeout: float) -> Reply:
    """Send one request as a mail program does: without cookies, not following redirects."""
    import httpx

    form: Mapping[str, str] | None = ONE_CLICK if method == "POST" else None
    try:
        response = httpx.request(
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
        return Reply(trouble=_reason(error))
    return Reply(response.status_code, response.headers.get("location", ""))


def _reason(error: BaseException) -> str:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        reason = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return f"its certificate cannot be trusted ({reason or 'verification failed'})"
    if "Name or service" in text or "getaddrinfo" in text or "name resolution" in text:
        return "its name is not known in DNS"
    if "refused" in text:
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


def evaluate(facts: EndpointFacts, now: datetime) -> list[CheckResult]:
    """Evaluate whether subscribers can unsubscribe with one click."""
    parts = urlsplit(facts.url)
    results = []
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        results.append(
            problem(
                "one-click-tls",
                f"publication.public_url {facts.url} is not https",
                impact="RFC 8058 demands https: mail programs show no unsubscribe button, and "
                "subscribers' links are sent unencrypted",
                fix="put a proxy with a certificate before 'upcycle-news web' and write https://",
            )
        )
    elif facts.certificate:
        until = valid_until(facts.certificate)
        expiry = expiring(
            "one-click-tls", facts.url, until, now, about="", renews="whoever runs the proxy"
        )
        results += expiry or [
            ok("one-click-tls", f"the certificate of {facts.url} is valid until {until:%Y-%m-%d}")
        ]
    return [*results, _replies(facts)]


def _replies(facts: EndpointFacts) -> CheckResult:
    broken = "unsubscribe links do not work; subscribers will report the mail as spam instead"
    if facts.foreign_get.trouble:
        return problem(
            "one-click",
            f"{facts.url} cannot be reached: {facts.foreign_get.trouble}",
            impact=broken,
            fix="start 'upcycle-news web' and the proxy before it, and check publication.public_url",
        )
    redirect = next(
        (
            reply
            for reply in (
                facts.own_post,
                facts.foreign_post,
                facts.own_get,
                facts.foreign_get,
            )
            if 300 <= reply.status < 400
        ),
        None,
    )
    if redirect is not None:
        return problem(
            "one-click",
            f"{facts.url} redirects ({redirect.status}) to {_origin(redirect.location)}",
            impact="a one-click POST follows no redirect (RFC 8058, section 3.1): the click is lost",
            fix="write the address where it leads into publication.public_url",
        )
    foreign = [facts.foreign_get.status, facts.foreign_post.status]
    if foreign != [404, 404]:
        wrong = next(status for status in foreign if status != 404)
        return problem(
            "one-click",
            f"{facts.url} answers {wrong} to an unsubscribe link with an invalid token; our pages answer 404",
            impact="something else answers there, not 'upcycle-news web'",
            fix="let the proxy pass /unsubscribe, /confirm, /preferences and /subscribe on to it, "
            "every method",
        )
    if not facts.signed:
        return warning(
            "one-click",
            f"{facts.url} answers; whether with our keys is not known, as there are none here yet",
            impact="a page that answers 404 to every link looks the same",
            fix="make them with 'upcycle-news issue preview', then run the doctor again",
        )
    if (facts.own_get.status, facts.own_post.status) == (404, 404):
        return problem(
            "one-click",
            f"{facts.url} does not accept links that are signed here",
            impact="it runs with other keys than those in var/secrets: no link in our mails works",
            fix="let 'upcycle-news web' run with this publication and this var/secrets",
        )
    if (facts.own_get.status, facts.own_post.status) != (200, 200):
        return problem(
            "one-click",
            f"{facts.url} answers our own link with {facts.own_get.status} to GET and "
            f"{facts.own_post.status} to POST",
            impact=broken,
            fix="look into the log of 'upcycle-news web' and of the proxy; both methods must pass",
        )
    return ok("one-click", f"{facts.url} takes a one-click POST, without a redirect, with our keys")


def _origin(location: str) -> str:
    """Return scheme and host of a redirect's target, without the token in its path."""
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else "another path"


def evaluate_methods(sentence: str, *, possible: bool) -> CheckResult:
    """Return the result for the configured ways to unsubscribe, which `sentence` names."""
    if possible:
        return ok("leaving", sentence)
    return problem(
        "leaving",
        sentence,
        impact="the law and every large mailbox provider demand a way to unsubscribe",
        fix="set publication.public_url, or sender.unsubscribe_mailto with an [inbox]",
    )


def endpoint_unchecked(reason: str) -> CheckResult:
    """Return the result for an endpoint that does not exist or was not asked."""
    return skipped("one-click", reason)


def evaluate_inbox(trouble: str) -> CheckResult:
    """Evaluate opening the mailbox for bounces and unsubscribe mails; `trouble` is empty on success."""
    if not trouble:
        return ok("inbox", "the inbox can be opened and read")
    finding, _, fix = trouble.rpartition(": ")
    return problem(
        "inbox",
        finding,
        impact="bounces are not processed, and who unsubscribes by mail gets further issues",
        fix=fix,
    )


def no_inbox() -> CheckResult:
    """Return the result for a publication without an inbox."""
    return skipped(
        "inbox",
        "there is no [inbox]: bounces are not processed, dead addresses stay on the list",
        fix="set inbox.host, or inbox.maildir, to where sender.envelope's mail arrives",
    )


def evaluate_pending_suppressions(count: int) -> CheckResult:
    """Evaluate how many suppressions wait for a person, since they came in a wave."""
    if not count:
        return ok("suppressions", "no suppression waits for a decision")
    return warning(
        "suppressions",
        f"{format_count(count, 'suppression')} of a wave of refusals or returned mail "
        f"{'waits' if count == 1 else 'wait'} for a decision",
        impact="until then these readers go on getting mail, also where the address is dead",
        fix="look at 'upcycle-news subscribers suppressions --pending', then confirm them with "
        "'subscribers suppress --pending' or drop them with 'subscribers unsuppress --pending'",
    )
