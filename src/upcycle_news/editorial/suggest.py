"""Turning a typing error into advice."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from upcycle_news.sayings import Saying, say


def did_you_mean(word: str, known: Iterable[str]) -> Saying:
    """Return `` (did you mean 'title'?)``, or all that is known when nothing comes close."""
    names = sorted(known)
    close = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    if close:
        return say("did-you-mean", name=close[0])
    return say("known-are", names=tuple(names))
