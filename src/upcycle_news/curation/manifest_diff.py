"""What is different between two manifests: values in, values out.

Texts are compared line by line and, within lines, word by word: a paragraph of an essay is one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Literal

from upcycle_news.models import (
    Essay,
    Manifest,
    Related,
)

Piece = tuple[Literal["same", "out", "in"], str]


_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")


_AROUND = 24  # characters of an unchanged stretch that are shown beside a change


@dataclass(frozen=True)
class Changed:
    """One text that is not what it was: a file, a setting, an essay."""

    name: str
    old: str
    new: str

    def unified(self) -> str:
        """The change as a patch."""
        lines = unified_diff(
            self.old.splitlines(), self.new.splitlines(), self.name, self.name, lineterm="", n=2
        )
        return "\n".join(lines)

    def words(self) -> Iterator[tuple[int, list[Piece]]]:
        """The changed lines (their number in the new text, from 1), each in pieces."""
        old, new = self.old.splitlines(), self.new.splitlines()
        for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, False).get_opcodes():
            if tag != "equal":
                pieces = _shortened(_pieces("\n".join(old[i1:i2]), "\n".join(new[j1:j2])))
                yield j1 + 1, pieces


@dataclass(frozen=True)
class Difference:
    """Everything that is different. `pictures` are (path, "new" | "dropped" | "changed").

    An item whose text alone was changed by its publisher is in `items`; `settings` are those that
    show in a mail. `order`: the same essays lead and follow in another order.
    """

    subject: Changed | None = None
    preheader: Changed | None = None
    essays_in: tuple[Essay, ...] = ()
    essays_out: tuple[Essay, ...] = ()
    essays: tuple[Changed, ...] = ()
    order: bool = False
    items_in: tuple[Related, ...] = ()
    items_out: tuple[Related, ...] = ()
    items: tuple[Changed, ...] = ()
    pictures: tuple[tuple[str, str], ...] = ()
    templates: tuple[Changed, ...] = ()
    settings: tuple[Changed, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self != Difference()

    def by_hand(self) -> list[str]:
        """What people changed, by name: an approval of the old state does not hold for the new."""
        named = [f"essay {one.name}" for one in self.essays]
        named += [f"essay {essay.slug}" for essay in self.essays_out]
        named += [f"templates/{one.name}" for one in self.templates]
        named += [f"content/images/{path}" for path, _ in self.pictures]
        return [*named, "newsletter.toml"] if self.settings else named


def compare(old: Manifest, new: Manifest) -> Difference:
    """What is different in `new`."""
    before = {essay.slug: essay for essay in old.issue.essays}
    after = {essay.slug: essay for essay in new.issue.essays}
    told_before = {_identity(one): one for one in old.issue.related}
    told_after = {_identity(one): one for one in new.issue.related}
    common = [slug for slug in after if slug in before]
    return Difference(
        subject=_changed("subject", old.issue.subject, new.issue.subject),
        preheader=_changed("preheader", old.issue.preheader, new.issue.preheader),
        essays_in=tuple(essay for slug, essay in after.items() if slug not in before),
        essays_out=tuple(essay for slug, essay in before.items() if slug not in after),
        essays=_texts(
            {slug: essay_text(before[slug]) for slug in common},
            {slug: essay_text(after[slug]) for slug in common},
        ),
        order=common != [slug for slug in before if slug in after],
        items_in=tuple(one for key, one in told_after.items() if key not in told_before),
        items_out=tuple(one for key, one in told_before.items() if key not in told_after),
        items=_texts(
            {key: _item_text(one) for key, one in told_before.items() if key in told_after},
            {key: _item_text(one) for key, one in told_after.items() if key in told_before},
        ),
        pictures=tuple(_pictures(old.images, new.images)),
        templates=_texts(old.templates, new.templates),
        settings=_texts(_flat(asdict(old.publication)), _flat(asdict(new.publication))),
    )


def essay_text(essay: Essay) -> str:
    """An essay as it is compared: its front matter, one key a line, then its text."""
    head = {
        "title": essay.title,
        "author": essay.author,
        "date": essay.date.isoformat(),
        "language": essay.language,
        "summary": essay.summary,
        "topics": ", ".join(essay.topics),
        "image": f"{essay.image.path} ({essay.image.alt})" if essay.image else "",
        "length": essay.length or "",
        "pin": ", ".join(essay.pin),
        "ban": ", ".join(essay.ban),
    }
    lines = [f"{key}: {value}" for key, value in head.items() if value]
    return "\n".join([*lines, "", essay.body])


def _identity(related: Related) -> str:
    return related.story.lead.canonical


def _item_text(related: Related) -> str:
    lead = related.story.lead
    return f"{lead.title}\n{lead.summary}"


def _flat(settings: Mapping[str, object]) -> dict[str, str]:
    return {
        key: "\n".join(map(str, value)) if isinstance(value, tuple) else str(value)
        for key, value in settings.items()
    }


def _changed(name: str, old: str, new: str) -> Changed | None:
    return None if old == new else Changed(name, old, new)


def _texts(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Changed, ...]:
    names = sorted({*old, *new})
    found = (_changed(name, old.get(name, ""), new.get(name, "")) for name in names)
    return tuple(one for one in found if one is not None)


def _pictures(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    for path in sorted({*old, *new}):
        if path not in old:
            yield path, "new"
        elif path not in new:
            yield path, "dropped"
        elif old[path] != new[path]:
            yield path, "changed"


def _pieces(old: str, new: str) -> list[Piece]:
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    found: list[Piece] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, False).get_opcodes():
        if tag == "equal":
            found.append(("same", "".join(before[i1:i2])))
            continue
        if i1 < i2:
            found.append(("out", "".join(before[i1:i2])))
        if j1 < j2:
            found.append(("in", "".join(after[j1:j2])))
    return found


def _shortened(pieces: Sequence[Piece]) -> list[Piece]:
    """Unchanged stretches of a long paragraph cut to what stands beside the changes."""
    found: list[Piece] = []
    for number, (kind, text) in enumerate(pieces):
        first, last = number == 0, number == len(pieces) - 1
        if kind == "same" and len(text) > 2 * _AROUND + 8:
            head = "" if first else text[:_AROUND]
            tail = "" if last else text[-_AROUND:]
            text = f"{head} … {tail}"
        found.append((kind, text))
    return found
