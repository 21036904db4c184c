"""Hostile bodies of feeds; each is made by a function when it is needed."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable

LINK = "https://bau.example/1"


def rss(*items: str, head: str = "", channel: str = "<title>Blatt</title>") -> bytes:
    inner = "".join(f"<item>{item}</item>" for item in items)
    text = (
        f'<?xml version="1.0"?>{head}<rss version="2.0"><channel>{channel}{inner}</channel></rss>'
    )
    return text.encode("utf-8", "surrogatepass")


def item(title: str = "Titel", link: str = LINK, summary: str = "", more: str = "") -> str:
    description = f"<description>{summary}</description>" if summary else ""
    return f"<title>{title}</title><link>{link}</link>{description}{more}"


def titled(title: str) -> bytes:
    return rss(item(title))


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def with_summary(summary: str) -> bytes:
    return rss(item(summary=escaped(summary)))


def dated(*dates: str) -> bytes:
    return rss(
        *(item(f"T{n}", f"{LINK}{n}", more=f"<pubDate>{d}</pubDate>") for n, d in enumerate(dates))
    )


def linked(*links: str) -> bytes:
    return rss(*(item(f"L{n}", link) for n, link in enumerate(links)), item())


def json_feed(**more: object) -> bytes:
    items = [{"id": "1", "url": LINK, "title": "Titel"}]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "Blatt", "items": items}
    return json.dumps({**feed, **more}).encode()


def _laughs() -> bytes:
    steps = "".join(
        f'<!ENTITY {new} "{f"&{old};" * 10}">'
        for old, new in zip("abcdefghi", "bcdefghij", strict=True)
    )
    return rss(item("&j;"), head=f'<!DOCTYPE r [<!ENTITY a "{"ha" * 10}">{steps}]>')


def _external(what: str) -> bytes:
    return rss(item("vorher &x; nachher"), head=f"<!DOCTYPE r [{what}]>")


BODIES: dict[str, Callable[[], bytes]] = {
    # bombs and entity games
    "billion laughs": _laughs,
    "quadratic entity": lambda: rss(
        item("&a;" * 20_000), head=f'<!DOCTYPE r [<!ENTITY a "{"x" * 100_000}">]>'
    ),
    "external file": lambda: _external('<!ENTITY x SYSTEM "file:///etc/passwd">'),
    "external address": lambda: _external('<!ENTITY x SYSTEM "http://127.0.0.1:9/">'),
    "external dtd": lambda: rss(item(), head='<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd">'),
    "parameter entity": lambda: _external(
        '<!ENTITY % p SYSTEM "file:///etc/passwd"> %p; <!ENTITY x "%p;">'
    ),
    "entity naming itself": lambda: _external('<!ENTITY x "&x;">'),
    "gzip without a header": lambda: gzip.compress(titled("Titel")),
    "gzip bomb without a header": lambda: gzip.compress(b" " * 50_000_000, 1),
    # shapes that cost time
    "deep elements": lambda: b"<rss><channel>" + b"<a>" * 40_000,
    "deep html in a summary": lambda: with_summary("<div>" * 40_000),
    "deep html in a title": lambda: titled(escaped("<b>" * 60_000 + "x")),
    "comments that never end": lambda: b"<rss><channel><title>x</title>" + b"<!--" * 200_000,
    "comments in a summary": lambda: with_summary("<!--" * 50_000),
    "cdata that never ends": lambda: b"<rss><channel><item><title>" + b"<![CDATA[" * 60_000,
    "declarations without end": lambda: b"<rss>" + b"<!DOCTYPE " * 200_000,
    "tags without end": lambda: b"<rss><channel>" + b"<item " * 50_000,
    "open quotes": lambda: b"<rss><channel><item a='" + b"\"'" * 1_000_000,
    "ampersands": lambda: b"<rss><channel><title>" + b"&" * 300_000,
    "one attribute of megabytes": lambda: rss(f'<title a="{"x" * 5_000_000}">T</title><link>{LINK}</link>'),
    "many attributes": lambda: rss(
        "<title " + " ".join(f'a{n}="1"' for n in range(50_000)) + f">T</title><link>{LINK}</link>"
    ),
    "many namespaces": lambda: rss(
        "<x " + " ".join(f'xmlns:n{n}="urn:{n}"' for n in range(5_000)) + "/>" + item()
    ),
    "processing instructions": lambda: b"<?x?>" * 50_000 + titled("Titel"),
    "three thousand entries": lambda: rss(*(item(f"T{n}", f"{LINK}/{n}") for n in range(3_000))),
    "title of five megabytes": lambda: titled("Wort " * 1_000_000),
    "guid of a megabyte": lambda: rss(item(more=f"<guid>{'x' * 1_000_000}</guid>")),
    "megabytes of white space": lambda: b" " * 14_000_000,
    "more than the cap": lambda: rss(item()) + b" " * (15 * 1024 * 1024),
    "the trailer a thousand times": lambda: with_summary("Der Beitrag x " * 5_000 + "erschien"),
    "sentences of points": lambda: with_summary("! . ? … “ " * 20_000),
    "categories without number": lambda: rss(item(more="<category>x</category>" * 15_000)),
    "enclosures without number": lambda: rss(
        item(more='<enclosure url="https://x.example/a.png" type="image/png"/>' * 50_000)
    ),
    # charsets
    "unknown charset": lambda: titled("Größe").replace(b"?>", b' encoding="x-klingon"?>', 1),
    "a wrong charset": lambda: titled("Größe").replace(b"?>", b' encoding="utf-16"?>', 1),
    "utf-7": lambda: titled("+ADw-script+AD4-").replace(b"?>", b' encoding="utf-7"?>', 1),
    "utf-16 without mark": lambda: titled("Größe").decode().encode("utf-16-le"),
    "utf-32": lambda: titled("Größe").decode().encode("utf-32"),
    "latin-1 that calls itself utf-8": lambda: titled("Gr").replace(b"Gr", b"Gr\xf6\xdfe"),
    "broken utf-8": lambda: titled("T").replace(b">T<", b">T\xc3\xc3\xff\xfe\x80<"),
    "overlong utf-8": lambda: titled("T").replace(b">T<", b">\xc0\xbcscript\xc0\xbe<"),
    "charset idna": lambda: titled("T").replace(b"?>", b' encoding="idna"?>', 1),
    "charset rot13": lambda: titled("T").replace(b"?>", b' encoding="rot13"?>', 1),
    "charset zlib": lambda: titled("T").replace(b"?>", b' encoding="zlib_codec"?>', 1),
    # control and invisible characters
    "NUL everywhere": lambda: titled("Ti\x00tel").replace(b"<item>", b"\x00<item>\x00"),
    "nothing but NUL": lambda: b"\x00" * 100_000,
    "control characters": lambda: titled("".join(map(chr, range(1, 32))) + "Titel\x7f\x85\x9b"),
    "right-to-left overrides": lambda: titled("Rechnung \u202efdp.exe\u202c \u2066x\u2069 Ende"),
    "only invisible characters": lambda: titled("\u200b\u200d\ufeff\u2060"),
    "a tower of accents": lambda: titled("Z" + "\u0301\u0316" * 5_000 + "algo"),
    "tag characters": lambda: titled("Titel" + "".join(chr(0xE0000 + n) for n in range(32, 127))),
    "line breaks in a title": lambda: titled("Titel&#13;&#10;Bcc: alle@bau.example&#10;&#10;Text"),
    "impossible character references": lambda: titled("T&#x110000;&#0;&#xD800;&#xFFFF;&#99999999999;"),
    # markup where none belongs
    "script and style in a title": lambda: titled(
        escaped("<script>alert(1)</script><style>*{display:none}</style>Titel")
    ),
    "a template in a title": lambda: titled("{{ 7*191 }} {% raw %} {# x #} ${7*191} Titel"),
    "the end of an mjml element in a title": lambda: titled(
        escaped("Titel</mj-text></mj-section><mj-raw><b>roh</b></mj-raw>")
    ),
    "mjml as plain text": lambda: (
        b'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title><entry><title type="text">'
        b"Titel&lt;/mj-text&gt;&lt;mj-raw&gt;{{ \\u{a0}</title>"
        b'<link href="https://bau.example/1"/></entry></feed>'
    ),
    "an mjml include in a summary": lambda: with_summary('<mj-include path="/etc/passwd" /> Text.'),
    "comments that close ours": lambda: titled(escaped("Titel --> <!-- <![endif]--> <!--[if mso]>")),
    "encoded three times": lambda: titled("&amp;amp;lt;script&amp;amp;gt;alert(1)"),
    "cdata in cdata": lambda: rss(item("<![CDATA[Titel ]]&gt;<b>x</b>]]]]><![CDATA[> Ende]]>")),
    "svg that runs": lambda: with_summary("<svg onload=alert(1)><script>x</script></svg><p>Text.</p>"),
    "frames and forms": lambda: with_summary(
        "<iframe src=//x></iframe><form action=//x><input name=a></form><object data=x></object>Text."
    ),
    "a tracking pixel": lambda: with_summary('<img src="https://x.example/1.gif" width=1>Text.'),
    "markdown in a title": lambda: titled("[Titel](javascript:alert(1)) ![x](https://x.example/p)"),
    "placeholders of ours": lambda: titled("https://reader.invalid/unsubscribe cid:logo Titel"),
    "an attribute's end in a title": lambda: titled('Titel" onclick="x" style=\'x\''),
    # links
    "links that run": lambda: linked("javascript:alert(1)", "JaVaScRiPt:x", "data:text/html,x", "vbscript:x"),
    "links elsewhere": lambda: linked("file:///etc/passwd", "ftp://x.example/", "//[", "mailto:x@x.example"),
    "links with names in them": lambda: linked("https://bank.example@x.example/", "https://a:b@x.example/"),
    "a link with quotes": lambda: linked("https://x.example/&quot;&gt;&lt;script&gt;x", "https://x.example/a b\nc"),
    "a link without end": lambda: linked("https://x.example/" + "a" * 100_000),
    "links to placeholder hosts": lambda: linked("https://reader.invalid/unsubscribe"),
    "a base that runs": lambda: (
        b'<feed xmlns="http://www.w3.org/2005/Atom" xml:base="javascript:x//"><title>x</title><entry>'
        b'<title>T</title><link href="y"/></entry></feed>'
    ),
    # dates
    "forged dates": lambda: dated(
        "Fri, 31 Dec 9999 23:59:59 GMT", "0001-01-01T00:00:00Z", "2099-01-01", "-1", "1e309",
        "Mon, 05 Oct 2026 99:99:99 +9999", "0" * 5_000, "1791187200000000", "morgen", "in 5000 Jahren",
    ),
    "dates that cost time": lambda: dated(*(["1." * 39, "Uhr " * 19, "- " * 39, "12:00 " * 13] * 25)),
    # JSON
    "json in json in json": lambda: b'{"version": "https://jsonfeed.org/version/1", "items": ' + b"[" * 500_000,
    "json with a number of megabytes": lambda: json_feed(x="N").replace(b'"N"', b"9" * 3_000_000),
    "json with halves of characters": lambda: json_feed(title="\ud800", items=[
        {"id": "1", "url": LINK, "title": "T\udfff\ud83d"}
    ]),
    "json of the wrong kinds": lambda: json_feed(items=[
        None, 1, [], "x", {"id": {}, "url": 7, "title": []}, {"id": 1e308, "url": LINK, "title": "T"}
    ]),
    "json whose items are a table": lambda: json_feed(items={"a": 1}),
    "json with everything infinite": lambda: json_feed(items=[
        {"id": float("inf"), "url": LINK, "title": "T", "date_published": float("nan")}
    ]),
    "json of another kind": lambda: b'{"hello": "world"}',
    # no feed at all
    "nothing": lambda: b"",
    "a web page": lambda: b"<!doctype html><html><title>Anmelden</title><script>x</script></html>",
    "noise": lambda: random.Random(7).randbytes(200_000),
    "half a feed": lambda: rss(item("Eins"), item("Zwei", LINK + "2"))[:-60],
    "a feed in a feed": lambda: rss(item() + titled("Innen").decode().partition("?>")[2]),
    "a path": lambda: b"/etc/passwd",
    "an address": lambda: b"http://127.0.0.1:9/",
}  # fmt: skip
