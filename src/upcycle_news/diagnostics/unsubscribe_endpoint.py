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

from upcycle_news.diagnostics.results import CheckResult, ok, problem, skipped, split_cure, warning
from upcycle_news.diagnostics.tls import expiring, valid_until
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.prefect_api.environment import is_loopback

FOREIGN = "A" * 43  # as long as a token, but signed by no key
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass(frozen=True)
class Reply:
    """The outcome of one request: a status, or in `trouble` why there is none."""

    status: int = 0
    location: str = ""
    trouble: LocalizedText | None = None


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
        return Reply(trouble=localized("doctor-no-answer", seconds=timeout))
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return Reply(trouble=_reason(error))
    return Reply(response.status_code, response.headers.get("location", ""))


def _reason(error: BaseException) -> LocalizedText:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        reason = text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return localized("doctor-certificate-untrusted", reason=reason or "verification failed")
    if "Name or service" in text or "getaddrinfo" in text or "name resolution" in text:
        return localized("doctor-name-unknown")
    if "refused" in text:
        return localized("doctor-nobody-listens")
    return localized("doctor-connection-failed", kind=type(error).__name__)


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
                localized("doctor-not-https", url=facts.url),
                impact=localized("doctor-not-https-means"),
                fix=localized("doctor-not-https-cure"),
            )
        )
    elif facts.certificate:
        until = valid_until(facts.certificate)
        expiry = expiring(
            "one-click-tls",
            facts.url,
            until,
            now,
            about="",
            renews=localized("doctor-proxys-operator"),
        )
        results += expiry or [
            ok("one-click-tls", localized("doctor-certificate-until", url=facts.url, until=until))
        ]
    return [*results, _replies(facts)]


def _replies(facts: EndpointFacts) -> CheckResult:
    broken = localized("doctor-leaving-broken")
    if facts.foreign_get.trouble:
        return problem(
            "one-click",
            localized("doctor-endpoint-silent", url=facts.url, trouble=facts.foreign_get.trouble),
            impact=broken,
            fix=localized("doctor-endpoint-silent-cure"),
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
            localized(
                "doctor-endpoint-redirects",
                url=facts.url,
                status=redirect.status,
                location=_origin(redirect.location),
            ),
            impact=localized("doctor-endpoint-redirects-means"),
            fix=localized("doctor-endpoint-redirects-cure"),
        )
    foreign = [facts.foreign_get.status, facts.foreign_post.status]
    if foreign != [404, 404]:
        wrong = next(status for status in foreign if status != 404)
        return problem(
            "one-click",
            localized("doctor-endpoint-wrong", url=facts.url, wrong=wrong),
            impact=localized("doctor-endpoint-wrong-means"),
            fix=localized("doctor-endpoint-wrong-cure"),
        )
    if not facts.signed:
        return warning(
            "one-click",
            localized("doctor-endpoint-unsigned", url=facts.url),
            impact=localized("doctor-endpoint-unsigned-means"),
            fix=localized("doctor-endpoint-unsigned-cure"),
        )
    if (facts.own_get.status, facts.own_post.status) == (404, 404):
        return problem(
            "one-click",
            localized("doctor-endpoint-other-keys", url=facts.url),
            impact=localized("doctor-endpoint-other-keys-mean"),
            fix=localized("doctor-endpoint-other-keys-cure"),
        )
    if (facts.own_get.status, facts.own_post.status) != (200, 200):
        return problem(
            "one-click",
            localized(
                "doctor-endpoint-odd",
                url=facts.url,
                get=facts.own_get.status,
                post=facts.own_post.status,
            ),
            impact=broken,
            fix=localized("doctor-endpoint-odd-cure"),
        )
    return ok("one-click", localized("doctor-one-click-ok", url=facts.url))


def _origin(location: str) -> str | LocalizedText:
    """Return scheme and host of a redirect's target, without the token in its path."""
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else localized("doctor-another-path")


def evaluate_methods(sentence: LocalizedText, *, possible: bool) -> CheckResult:
    """Return the result for the configured ways to unsubscribe, which `sentence` names."""
    if possible:
        return ok("leaving", sentence)
    return problem(
        "leaving",
        sentence,
        impact=localized("doctor-leaving-means"),
        fix=localized("doctor-leaving-cure"),
    )


def evaluate_privacy_page(privacy_url: str, *, is_own: bool) -> CheckResult:
    """Judge whether the form for signing up leads to a page about privacy (GDPR, Art. 13).

    `is_own`: the public address is no sample and no address of this machine, so people may sign up there.
    """
    if privacy_url:
        return ok("privacy", localized("doctor-privacy-ok", url=privacy_url))
    fix = localized("doctor-privacy-cure")
    if not is_own:
        return skipped("privacy", localized("doctor-privacy-later"), fix=fix)
    return problem(
        "privacy",
        localized("doctor-privacy-missing"),
        impact=localized("doctor-privacy-missing-means"),
        fix=fix,
    )


def endpoint_unchecked(reason: LocalizedText) -> CheckResult:
    """Return the result for an endpoint that does not exist or was not asked."""
    return skipped("one-click", reason)


def evaluate_inbox(trouble: LocalizedText | None) -> CheckResult:
    """Evaluate opening the mailbox for bounces and unsubscribe mails; `trouble` is None on success."""
    if not trouble:
        return ok("inbox", localized("doctor-inbox-ok"))
    finding, fix = split_cure(trouble, localized("doctor-colon"))
    return problem(
        "inbox",
        finding,
        impact=localized("doctor-inbox-means"),
        fix=fix,
    )


def no_inbox() -> CheckResult:
    """Return the result for a publication without an inbox."""
    return skipped(
        "inbox",
        localized("doctor-inbox-none"),
        fix=localized("doctor-inbox-none-cure"),
    )


def evaluate_pending_suppressions(count: int) -> CheckResult:
    """Evaluate how many suppressions wait for a person, since they came in a wave."""
    if not count:
        return ok("suppressions", localized("doctor-suppressions-none"))
    return warning(
        "suppressions",
        localized("doctor-pending", count=count),
        impact=localized("doctor-suppressions-mean"),
        fix=localized("doctor-suppressions-cure"),
    )
