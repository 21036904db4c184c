"""The sample values that `init` writes and the demo uses: an issue that shows them is nobody's own.

A sample is one of these very values. Another value below a reserved domain (RFC 2606) is not one: a trial
over a relay on loopback may use `verein.example`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

DEMO_STAND_INS: Mapping[str, str | list[str]] = {
    "SENDER__ADDRESS": "newsletter@example.org",
    "PUBLICATION__PUBLIC_URL": "https://newsletter.example.org",
    "IMPRINT__LINES": ["Musterverein e. V., Musterstraße 1, 12345 Musterstadt"],
}
"""What the demo sets, by variable without its prefix, where a publication has nothing yet."""

# The publication that comes with the program, and that the demo runs on. Not read from its newsletter.toml:
# in a checkout that file may be the one of a real publication.
_BUNDLED_ADDRESSES = ("umbaupost@example.org", "redaktion@example.org", "abbestellen@example.org")
_BUNDLED_URLS = ("https://newsletter.example.org", "https://example.org/impressum")
_BUNDLED_IMPRINT = (
    "e+k upcycle, Sustainability Think Tank",
    "Musterstraße 1, 12345 Musterstadt",
    "redaktion@example.org · https://example.org/impressum",
)

_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_URL = re.compile(r"https?://[^\s\"'<>]+")


def scaffold_settings() -> str:
    """Return the newsletter.toml that `init` writes, with the sample's name."""
    return (files("upcycle_news.scaffold") / "newsletter.toml").read_text(encoding="utf-8")


def is_sample_address(value: str) -> bool:
    """Return whether an address is one that `init` wrote or the demo uses, in any case of its letters."""
    return _folded(value) in _addresses()


def is_sample_url(value: str) -> bool:
    """Return whether a URL is one that `init` wrote or the demo uses; a slash at its end is nothing."""
    return _folded(value).rstrip("/") in _urls()


def sample_imprint_lines(lines: Sequence[str]) -> list[str]:
    """Return the lines of an imprint that `init` wrote or the demo uses, word for word."""
    return [line for line in lines if _folded(line) in _imprint_lines()]


@cache
def _addresses() -> frozenset[str]:
    # Those in comments, too: without its mark a sample is still one.
    found = _ADDRESS.findall(scaffold_settings())
    return frozenset(
        map(_folded, [*found, *_BUNDLED_ADDRESSES, str(DEMO_STAND_INS["SENDER__ADDRESS"])])
    )


@cache
def _urls() -> frozenset[str]:
    demo = str(DEMO_STAND_INS["PUBLICATION__PUBLIC_URL"])
    found = [*_URL.findall(scaffold_settings()), *_BUNDLED_URLS, demo]
    return frozenset(_folded(url).rstrip("/") for url in found)


@cache
def _imprint_lines() -> frozenset[str]:
    scaffold = tomllib.loads(scaffold_settings())["imprint"]["lines"]
    return frozenset(
        map(_folded, [*scaffold, *_BUNDLED_IMPRINT, *DEMO_STAND_INS["IMPRINT__LINES"]])
    )


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()
