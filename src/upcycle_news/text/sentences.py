"""Splitting texts into sentences, with German abbreviations in mind.

"Im 19. Jh. war das anders." is one sentence, not three.
"""

from __future__ import annotations

import re

from upcycle_news.text.sanitize import normalise_whitespace, word_set

# Without "usw." and "etc.": they end sentences more often than not.
_ABBREVIATIONS = word_set(
    """
    abb abs abt allg anm apr art aufl aug bd bes betr bzgl bzw ca chr co dez dgl dipl dr ebd
    ehem engl entspr etw ev evtl exkl feb franz frdl frz geb gegr gem gest gez ggf ggü hl hr
    hrsg hs ing inkl insb jan jh jhd jhdt jr jul jun kap kath kfm lat lt max mind mio mo mrd mrz
    mtl nachf nov nr okt phil pos prof rd red sa sen sept sog spez st std stellv str südl tel
    tsd tägl u.a urspr v.a verh vgl vol vorm wg zool zt ztr zzgl östl westl nördl phd bgm mr mrs
    bsp bspw einschl ggfs lfd tab ziff univ verst verf rer nat habil sek gebr mult kgl röm österr schweiz
    ms vs no fig inc ltd corp gen rep gov approx dept est
    """
)
_END = re.compile(r"([.!?…]+)([\"'“”‘’»«›‹)\]]*)\s+(?=[\"'„“‚‘»«›‹(\[–—-]*\s?[^\W_])")
_ORDINAL = re.compile(r"(?:^|[^\w.,])\d{1,2}$")
_ROMAN = re.compile(r"\s[IVX]{2,5}$")  # Ludwig XIV. regierte
_LAST_WORD = re.compile(r"([^\W\d_]+(?:\.[^\W\d_]+)*)$")


def split_sentences(text: str) -> list[str]:
    """Split a plain text into its sentences, white space collapsed; no text is dropped."""
    text = normalise_whitespace(text)
    sentences: list[str] = []
    start = 0
    for match in _END.finditer(text):
        if _ends_here(text, start, match):
            sentences.append(text[start : match.end()].strip())
            start = match.end()
    rest = text[start:].strip()
    return [*sentences, rest] if rest else sentences


def _ends_here(text: str, start: int, match: re.Match[str]) -> bool:
    """Decide whether the punctuation of `match` ends the sentence that began at `start`."""
    following = text[match.end() :].lstrip("\"'„“‚‘»«›‹([–—- ")[:1]
    if following.islower():
        return False
    if match[1] != ".":
        return True
    return not is_abbreviated(text[max(start, match.start() - 40) : match.start()])


def is_abbreviated(before: str) -> bool:
    """Return whether a full stop after `before` belongs to its last word: an ordinal, "Nr", "z. B"."""
    if _ORDINAL.search(before) or _ROMAN.search(before):
        return True
    word = _LAST_WORD.search(before)
    if word is None:
        return False
    last = word[1].rpartition(".")[2]
    # One letter and a point is an initial or a part of "z. B.", never the end of a sentence.
    known = {word[1].lower(), last.lower()} & _ABBREVIATIONS
    return len(last) == 1 or bool(known) or last.lower().endswith("str")
