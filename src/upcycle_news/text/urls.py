"""Links: validation and escaping, and canonical forms that identify a page."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.text.private_hosts import ascii_host, is_private_host

MAX_LENGTH = 2000
_TRACKING = re.compile(
    r"(?:utm_|mtm_|pk_|piwik_|matomo_|hsa_|_hs|vero_|oly_|at_(?:medium|campaign|custom|link)|ns_|wt_|sc_c|stm_)\w*"
    r"|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|yclid|twclid|ttclid|igshid|igsh|li_fat_id|mc_cid"
    r"|mc_eid|mkt_tok|xtor|cmpid|cmp|wtrid|wt\.\w+|spm|s_cid|rss_?source|xing_share|et_rp|ga_\w+|_ga|_gl"
    r"|__twitter_impression|__hstc|__hssc|__hsfp|trk|trkcampaign",
    re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
# Characters that RFC 3986 allows unescaped; "%" too, because the link may be quoted already.
_SAFE = "!#$%&'()*+,/:;=?@[]~-._"
_HOSTLESS = re.compile(r"https?://(?:[/?#:.]|$)", re.IGNORECASE)
_LINK = localized("href-link")


class BadLinkError(ValueError):
    """A link that cannot be used in a mail; `text` says why, and the message does so in English."""

    def __init__(self, text: LocalizedText) -> None:
        super().__init__(str(text))
        self.text = text

    def about(self, what: LocalizedText) -> LocalizedText:
        """Return the text about something else than the link of an item, such as an address."""
        values = dict(self.text.values)
        return (
            LocalizedText(self.text.key, tuple({**values, "what": what}.items()))
            if "what" in values
            else self.text
        )


def safe_link(link: str, base: str = "") -> str:
    """Return an absolute http(s) link in ASCII without credentials; raises `BadLinkError`."""
    link = re.sub(r"[\t\r\n]", "", link.strip())
    if not link:
        raise BadLinkError(localized("href-missing"))
    if _HOSTLESS.match(link):  # urljoin would take the host of `base`
        raise BadLinkError(localized("href-hostless", what=_LINK))
    try:
        parts = urlsplit(urljoin(base, link))
        port = parts.port
        host = _ascii_host(parts.hostname or "")
        rest = [quote(part, safe=_SAFE) for part in (parts.path, parts.query, parts.fragment)]
    except (ValueError, UnicodeError):
        raise BadLinkError(localized("href-unusable", what=_LINK)) from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise BadLinkError(localized("href-scheme", what=_LINK))
    if "@" in parts.netloc:
        raise BadLinkError(localized("href-user", what=_LINK))
    if not host or "%EF%BF%BD" in "".join(rest):
        raise BadLinkError(localized("href-unusable", what=_LINK))
    if (host.rstrip(".") + "/").endswith(".invalid/") or host.rstrip(".") == "invalid":
        raise BadLinkError(localized("href-invalid-host", what=_LINK))
    netloc = host if port is None else f"{host}:{port}"
    result = urlunsplit((parts.scheme, netloc, *rest))
    if len(result) > MAX_LENGTH:
        raise BadLinkError(localized("href-too-long", what=_LINK, count=MAX_LENGTH))
    return result


def without_feed_scheme(link: str) -> str:
    """Return a ``feed:`` address as what it is a nickname of: ``feed://host/`` and ``feed:https://host/``."""
    match = re.match(r"feed:(?://)?(?!/)(.+)", link.strip(), re.IGNORECASE | re.DOTALL)
    if match is None:
        return link
    return match[1] if re.match(r"https?:", match[1], re.IGNORECASE) else f"http://{match[1]}"


def resolve_link(link: str, base: str) -> str:
    """Return a link as an absolute one; ``www.example.org/a`` is a host without its scheme.

    So is a first segment that is the host of `base`. Anything else relative is resolved as RFC 3986
    says; what cannot be resolved is returned unchanged.
    """
    link = link.strip()
    if _HOSTLESS.match(link):
        return link
    first = re.match(r"[^/?#:]+", link)
    try:
        own = (urlsplit(base).hostname or "").removeprefix("www.")
        name = first[0].lower() if first else ""
        hosts = {own, f"www.{own}"} if "." in own else set()
        if name in hosts or re.fullmatch(r"www\.[^.]+(?:\.[^.]+)+", name):
            return f"https://{link}"
        return urljoin(base, link)
    except ValueError:
        return link


def _ascii_host(host: str) -> str:
    """Return a host as it stands in an address of ASCII, empty where it is none."""
    host = ascii_host(host)
    if ":" in host:
        return f"[{host}]" if re.fullmatch(r"[0-9a-f:.]+", host) else ""
    return host if re.fullmatch(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?", host) else ""


def is_private_link(link: str) -> bool:
    """Tell whether a link leads to this machine or into a private network, by its host alone."""
    return is_private_host(urlsplit(link).hostname or "")


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
    path, query = (_normal_escapes(part) for part in (parts.path or "/", "&".join(pairs)))
    return urlunsplit(SplitResult(scheme, host, path, query, ""))


def _normal_escapes(text: str) -> str:
    """Write percent-encodings in capitals, and none for unreserved characters (RFC 3986, 6.2.2)."""

    def normal(match: re.Match[str]) -> str:
        character = chr(int(match[1], 16))
        return character if _UNRESERVED.fullmatch(character) else match[0].upper()

    return re.sub(r"%([0-9A-Fa-f]{2})", normal, text)


def fragment_of(link: str) -> str:
    """Return the fragment of a link, empty where it only tracks (``#xtor=RSS-1``)."""
    fragment = link.partition("#")[2]
    return "" if any(map(_is_tracking, fragment.split("&"))) else fragment


def page_key(canonical: str) -> str:
    """Return a canonical link without scheme, www and last slash, which feeds spell differently."""
    return re.sub(r"^https?://(?:www\.)?", "", canonical).rstrip("/")


def _is_tracking(pair: str) -> bool:
    return bool(_TRACKING.fullmatch(pair.partition("=")[0]))
