"""Removal of what feeds append to a text: "Weiterlesen →", "The post … appeared first on …".

A trailer is told by its form: it is the end of the text, and behind its words there is nothing but the
item's title, the feed's name and punctuation. Other trailers are told by repetition: the same last
sentence under most texts of a feed. Words alone decide nothing, because they begin honest sentences.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from upcycle_news.text.sanitize import word_set
from upcycle_news.text.sentences import split_sentences

MIN_REPEATED = 3  # texts that end alike
MAX_TRAILER = 200  # characters of a sentence that is a trailer because it is repeated

_READ_ON = re.compile(
    r"(?:Weiterlesen|Weiter lesen|Mehr lesen|Mehr erfahren|Zum (?:ganzen )?(?:Artikel|Beitrag)"
    r"|(?:Den )?ganzen (?:Artikel|Beitrag) lesen|Read (?:more|on|the rest|the full \w+)|Continue reading"
    r"|Keep reading|Lire la suite|Lees (?:meer|verder)|Leggi (?:tutto|di più)|Czytaj (?:dalej|więcej)"
    r"|Читать далее|Leer más|Seguir leyendo)\b",
    re.IGNORECASE,
)
_OPENER = re.compile(
    r"\b(?:Der|Dieser) (?:Beitrag|Artikel)\b|\bTh(?:e|is) (?:post|article|entry)\b|\bL[’']article\b|\bHet bericht\b",
    re.IGNORECASE,
)
_APPEARED = re.compile(
    r"(?P<title>.{0,400}?)\s*(?:erschien zuerst (?:auf|bei|in|im)|(?:ist|wurde) zuerst"
    r" (?:erschienen|veröffentlicht) (?:auf|bei|in|im)|appeared first (?:on|at|in)|first appeared"
    r" (?:on|at|in)|was (?:first|originally) published (?:on|at|in)|est apparu en premier sur"
    r"|verscheen eerst op)\s+(?P<name>.{1,150})",
    re.IGNORECASE,
)
_LINKING = word_set("on auf bei at in von about über zu to this den der die das im en sur op")
_SENTENCE_END = re.compile(r"(?:^|[.!?…:\])}»”\"“’‘|–—-])\s*[\[(<]*\s*$")
_ARROWS = re.compile(r"[→⇒➔➜►▶›»]|(?:>>?|\.\.\.|…)\s*\]?\s*$")


@dataclass(frozen=True)
class Passage:
    """A text and the title of its item."""

    title: str
    text: str


def without_trailer(passage: Passage, names: Sequence[str]) -> str:
    """Return the text without a trailer that its form gives away; `names` are those of the feed."""
    text = passage.text
    for _ in range(2):  # "Weiterlesen" and "Der Beitrag …" may follow each other
        start = min(_read_on(text, passage.title, names), _appeared(text, passage.title, names))
        if start >= len(text):
            break
        text = text[:start].rstrip(" [(<|–—-")
    return text


def invites_to_read_on(passage: Passage, names: Sequence[str]) -> bool:
    """Tell whether a text ends with an invitation to read the rest of it elsewhere."""
    return _read_on(passage.text, passage.title, names) < len(passage.text)


def without_repeated_endings(passages: Sequence[Passage]) -> list[str]:
    """Return the texts without a last sentence that most of them end with.

    The same ending counts only under texts that differ otherwise, and a text is never emptied.
    """
    texts = [passage.text for passage in passages]
    for _ in range(2):
        endings: dict[str, dict[str, list[tuple[int, str]]]] = defaultdict(
            lambda: defaultdict(list)
        )
        with_text = {folded(text) for text in texts if text}
        for index, (passage, text) in enumerate(zip(passages, texts, strict=True)):
            # Only the end is split: most texts are long, and only their last sentence counts.
            *before, last = split_sentences(text[-2 * MAX_TRAILER :]) or [""]
            if before and len(last) <= MAX_TRAILER:
                rest = text.removesuffix(last).rstrip()
                ending = _without_title(folded(last), folded(passage.title))
                endings[ending][rest.casefold()].append((index, rest))
        repeated = [
            places
            for places in endings.values()
            if len(places) >= MIN_REPEATED and 2 * len(places) > len(with_text)
        ]
        if not repeated:
            break
        for places in repeated:
            for index, rest in (place for group in places.values() for place in group):
                texts[index] = rest
    return texts


def folded(text: str) -> str:
    """Return a text as it is compared: its words in lower case, without punctuation."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _read_on(text: str, title: str, names: Sequence[str]) -> int:
    """Return where an invitation to read on begins, else the length of the text."""
    matches = list(_READ_ON.finditer(text, max(len(text) - 600, 0)))
    match = matches[-1] if matches else None
    if match is None or not _is_only(text[match.end() :], title, names):
        return len(text)
    named = folded(text[match.end() :]) != ""
    arrow = bool(_ARROWS.search(text[match.end() :]))
    if not named and not arrow and not _SENTENCE_END.search(text[: match.start()]):
        return len(text)
    if match[0][0].islower() and not arrow:
        return len(text)
    return match.start()


def _appeared(text: str, title: str, names: Sequence[str]) -> int:
    """Return where "The post … appeared first on …" begins, else the length of the text."""
    for opener in reversed(list(_OPENER.finditer(text, max(len(text) - 900, 0)))):
        match = _APPEARED.fullmatch(text, opener.end())
        if match is None or not _SENTENCE_END.search(text[: opener.start()]):
            continue
        same_title = folded(match["title"]) == folded(title) != ""
        if same_title or _is_name(match["name"], names):
            return opener.start()
    return len(text)


def _is_only(rest: str, title: str, names: Sequence[str]) -> bool:
    """Tell whether a text is made of the title, the feed's name and small words only."""
    words = folded(rest)
    short_names = (re.split(r"\s[–|:•·»-]+\s", name)[0] for name in names)
    for known in map(folded, (title, *names, *short_names)):
        if known:
            words = re.sub(rf"\b{re.escape(known)}\b", " ", words)
    return all(word in _LINKING for word in words.split())


def _is_name(text: str, names: Sequence[str]) -> bool:
    """Tell whether a text is the name of the feed, or the beginning of it."""
    name = folded(text)
    known = [folded(other) for other in names]
    return any(name and other and (f"{other} ".startswith(f"{name} ")) for other in known)


def _without_title(ending: str, title: str) -> str:
    return ending.replace(title, "*") if len(title) > 3 else ending
