"""Links: validation and escaping, and canonical forms that identify a page."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

MAX_LENGTH = 2000
_TRACKING = re.compile(
    r"(?:utm_|mtm_|pk_|piwik_|matomo_|hsa_|_hs|vero_|oly_|at_(?:medium|campaign|custom|link)|ns_|wt_|sc_c|stm_)\w*"
    r"|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|yclid|twclid|ttclid|igshid|igsh|li_fat_id|mc_cid"
    r"|mc_eid|mkt_tok|xtor|cmpid|cmp|wtrid|wt\.\w+|spm|s_cid|rss_?source|xing_share|et_rp|ga_\w+|_ga|_gl"
    r"|__twitter_impression|__hstc|__hssc|__hsfp|trk|trkcampaign",
    re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Characters that RFC 3986 allows unescaped; "%" too, because the link may be quoted already.
_SAFE = "!#$%&'()*+,/:;=?@[]~-._"


class BadLinkError(ValueError):
    """A link that cannot be used in a mail; the message says why."""


def safe_link(link: str, base: str = "") -> str:
    """Return an absolute http(s) link in ASCII without credentials; raises `BadLinkError`."""
    link = re.sub(r"[\t\r\n]", "", link.strip())
    if not link:
        raise BadLinkError("it has no link")
    try:
        parts = urlsplit(urljoin(base, link))
        port = parts.port
        host = _ascii_host(parts.hostname or "")
    except (ValueError, UnicodeError):
        raise BadLinkError("its link is not a web address") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise BadLinkError("its link is not http or https")
    if not host or "@" in parts.netloc:
        raise BadLinkError("its link is not a web address")
    if (host.rstrip(".") + "/").endswith(".invalid/") or host.rstrip(".") == "invalid":
        raise BadLinkError("its link leads to a host that cannot exist (.invalid)")
    netloc = host if port is None else f"{host}:{port}"
    rest = (quote(part, safe=_SAFE) for part in (parts.path, parts.query, parts.fragment))
    result = urlunsplit((parts.scheme, netloc, *rest))
    if len(result) > MAX_LENGTH:
        raise BadLinkError(f"its link is longer than {MAX_LENGTH} characters")
    return result


def _ascii_host(host: str) -> str:
    host = host.lower()
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    if ":" in host:
        return f"[{host}]" if re.fullmatch(r"[0-9a-f:.]+", host) else ""
    return host if re.fullmatch(r"[a-z0-9_.-]+", host) else ""


def canonical_link(link: str) -> str:
    """Drop what does not identify the page: tracking parameters, fragment, default port.

    Parameters keep their order and spelling, because some servers care. A text that is no link is
    returned unchanged.
    """
    try:
        parts = urlsplit(link)
        port = parts.port
    except ValueError:
        return link
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or not parts.hostname:
        return link
    host = parts.hostname.lower().rstrip(".")
    if ":" in host:
        host = f"[{host}]"
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        host = f"{host}:{port}"
    pairs = [pair for pair in parts.query.split("&") if pair and not _is_tracking(pair)]
    return urlunsplit(SplitResult(scheme, host, parts.path or "/", "&".join(pairs), ""))


def page_key(canonical: str) -> str:
    """Return a canonical link without scheme, www and last slash, which feeds spell differently."""
    return re.sub(r"^https?://(?:www\.)?", "", canonical).rstrip("/")


def _is_tracking(pair: str) -> bool:
    return bool(_TRACKING.fullmatch(pair.partition("=")[0]))
