"""The differences between two manifests: pure functions.

Texts are compared line by line and, within lines, word by word: a paragraph of an essay is one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher, unified_diff
from typing import Literal

from upcycle_news.models import (
    Essay,
    EssayPlace,
    ImageRef,
    Issue,
    IssueFile,
    Manifest,
    Related,
)
from upcycle_news.models.front_matter import front_matter_keys

Piece = tuple[Literal["same", "out", "in"], str]

_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")
_CONTEXT = 24  # characters of unchanged text that are shown beside a change


@dataclass(frozen=True)
class TextChange:
    """A text before and after: a file, a setting, an essay."""

    name: str
    old: str
    new: str

    def unified(self) -> str:
        """Return the change as a unified diff with two lines of context."""
        lines = unified_diff(
            self.old.splitlines(), self.new.splitlines(), self.name, self.name, lineterm="", n=2
        )
        return "\n".join(lines)

    def words(self) -> Iterator[tuple[int, list[Piece]]]:
        """Yield the changed lines: their number in the new text, from 1, and the words in pieces."""
        old, new = self.old.splitlines(), self.new.splitlines()
        for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, False).get_opcodes():
            if tag != "equal":
                pieces = _shortened(_pieces("\n".join(old[i1:i2]), "\n".join(new[j1:j2])))
                yield j1 + 1, pieces


@dataclass(frozen=True)
class ManifestDiff:
    """All differences between two manifests. `pictures` are (path, "new" | "dropped" | "changed").

    An item whose text alone was changed by its publisher is in `items`; `settings` are those that
    show in a mail, `file` is that of the issue. `order`: the same essays lead and follow in another order.
    `translations` are the differences of the issue in further languages, by language, without pictures,
    templates and settings.
    """

    subject: TextChange | None = None
    preheader: TextChange | None = None
    greeting: TextChange | None = None
    file: TextChange | None = None
    essays_in: tuple[Essay, ...] = ()
    essays_out: tuple[Essay, ...] = ()
    essays: tuple[TextChange, ...] = ()
    order: bool = False
    items_in: tuple[Related, ...] = ()
    items_out: tuple[Related, ...] = ()
    items: tuple[TextChange, ...] = ()
    pictures: tuple[tuple[str, str], ...] = ()
    templates: tuple[TextChange, ...] = ()
    settings: tuple[TextChange, ...] = ()
    translations: tuple[tuple[str, ManifestDiff], ...] = ()

    def __bool__(self) -> bool:
        """Return True if there is any difference."""
        return self != ManifestDiff()

    def manual_changes(self) -> list[str]:
        """Name what editors changed, in contrast to feeds: such a change voids an approval."""
        changes = [f"essay {essay.name}" for essay in self.essays]
        changes += [f"essay {essay.slug}" for essay in self.essays_out]
        if self.file is not None:
            changes.append(self.file.name)
        if not changes:  # an essay brings its own subject and preheader, and so does a file
            texts = (self.subject, self.preheader, self.greeting)
            changes += [text.name for text in texts if text is not None]
        for language, difference in self.translations:
            changes += [f"{change} ({language})" for change in difference.manual_changes()]
            # Whoever reads in it got another text until now, or nothing.
            added = [f"essay {essay.slug} ({language})" for essay in difference.essays_in]
            changes += added
        changes += [f"templates/{template.name}" for template in self.templates]
        changes += [f"content/images/{path}" for path, _ in self.pictures]
        return [*changes, "newsletter.toml"] if self.settings else changes


def diff_manifests(old: Manifest, new: Manifest) -> ManifestDiff:
    """Return what is different in `new`."""
    return replace(
        _diff_issues(old.issue, new.issue),
        pictures=tuple(_pictures(old.images, new.images)),
        templates=_texts(old.templates, new.templates),
        settings=_texts(_flat(asdict(old.publication)), _flat(asdict(new.publication))),
        translations=tuple(_translations(old.issue, new.issue)),
    )


def _translations(old: Issue, new: Issue) -> Iterator[tuple[str, ManifestDiff]]:
    """Yield the differences in each further language; one that only one of them has is compared with nothing."""
    before = {issue.language: issue for issue in old.translations}
    after = {issue.language: issue for issue in new.translations}
    for language in sorted({*before, *after}):
        nothing = Issue(new.id, language, "", "", ())
        difference = _diff_issues(before.get(language, nothing), after.get(language, nothing))
        if difference:
            yield language, difference


def _diff_issues(old: Issue, new: Issue) -> ManifestDiff:
    """Return what is different in the issue itself, in its main language."""
    old_essays = {essay.slug: essay for essay in old.essays}
    new_essays = {essay.slug: essay for essay in new.essays}
    old_items = {_identity(related): related for related in old.related}
    new_items = {_identity(related): related for related in new.related}
    common = [slug for slug in new_essays if slug in old_essays]
    return ManifestDiff(
        subject=_changed("subject", old.subject, new.subject),
        preheader=_changed("preheader", old.preheader, new.preheader),
        greeting=_changed("greeting", old.greeting, new.greeting),
        file=_changed(
            (new.file or old.file or IssueFile("")).source,
            _file_text(old.file),
            _file_text(new.file),
        ),
        essays_in=tuple(essay for slug, essay in new_essays.items() if slug not in old_essays),
        essays_out=tuple(essay for slug, essay in old_essays.items() if slug not in new_essays),
        essays=_texts(
            {slug: essay_text(old_essays[slug]) for slug in common},
            {slug: essay_text(new_essays[slug]) for slug in common},
        ),
        order=common != [slug for slug in old_essays if slug in new_essays],
        items_in=tuple(item for key, item in new_items.items() if key not in old_items),
        items_out=tuple(item for key, item in old_items.items() if key not in new_items),
        items=_texts(
            {key: _item_text(item) for key, item in old_items.items() if key in new_items},
            {key: _item_text(item) for key, item in new_items.items() if key in old_items},
        ),
    )


def essay_text(essay: Essay) -> str:
    """Return an essay as the text that is compared: front matter, a key a line, then the body."""
    lines = []
    for name in front_matter_keys(Essay):
        value = getattr(essay, name)
        if value and name != "status":  # an essay of an issue is ready
            lines += _front_matter_lines(name, value)
    return "\n".join([*lines, "", essay.body])


def _file_text(file: IssueFile | None) -> str:
    """Return the file of an issue as the text that is compared; empty without one."""
    if file is None:
        return ""
    lines = [
        line
        for name in front_matter_keys(IssueFile)
        if name != "greeting" and (value := getattr(file, name))
        for line in _front_matter_lines(name, value)
    ]
    return "\n".join([*lines, "", file.greeting])


def _front_matter_lines(name: str, value: object) -> list[str]:
    """Return a key of the front matter as lines, a table's fields as ``extra.series: …``."""
    if isinstance(value, EssayPlace):
        return [f"{name}: {value.slug}" + (f" ({value.length})" if value.length else "")]
    if isinstance(value, Mapping):
        return [
            line
            for field, inner in sorted(value.items())
            for line in _front_matter_lines(f"{name}.{field}", inner)
        ]
    if isinstance(value, ImageRef):
        below = " · ".join(filter(None, (value.caption, value.credit)))
        return [f"{name}: {value.path} ({value.alt})" + (f" {below}" if below else "")]
    if isinstance(value, tuple | list) and not any(
        isinstance(item, Mapping | EssayPlace) for item in value
    ):
        return [f"{name}: {', '.join(map(str, value))}"]
    if isinstance(value, tuple | list):
        return [
            line
            for number, item in enumerate(value, 1)
            for line in _front_matter_lines(f"{name}.{number}", item)
        ]
    return [f"{name}: {str(value).lower() if isinstance(value, bool) else value}"]


def _identity(related: Related) -> str:
    return related.story.lead.canonical


def _item_text(related: Related) -> str:
    lead = related.story.lead
    return f"{lead.title}\n{lead.summary}"


def _flat(settings: Mapping[str, object]) -> dict[str, str]:
    return {key: _flat_value(value) for key, value in settings.items()}


def _flat_value(value: object) -> str:
    """Return a setting as lines of text, a table as one line."""
    if isinstance(value, tuple):
        return "\n".join(map(_flat_value, value))
    if isinstance(value, Mapping):
        return " ".join(filter(None, map(str, value.values())))
    return str(value)


def _changed(name: str, old: str, new: str) -> TextChange | None:
    return None if old == new else TextChange(name, old, new)


def _texts(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[TextChange, ...]:
    names = sorted({*old, *new})
    changes = (_changed(name, old.get(name, ""), new.get(name, "")) for name in names)
    return tuple(change for change in changes if change is not None)


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
    pieces: list[Piece] = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, before, after, False).get_opcodes():
        if tag == "equal":
            pieces.append(("same", "".join(before[i1:i2])))
            continue
        if i1 < i2:
            pieces.append(("out", "".join(before[i1:i2])))
        if j1 < j2:
            pieces.append(("in", "".join(after[j1:j2])))
    return pieces


def _shortened(pieces: Sequence[Piece]) -> list[Piece]:
    """Shorten unchanged text to the characters next to a change."""
    shortened: list[Piece] = []
    for number, (kind, text) in enumerate(pieces):
        first, last = number == 0, number == len(pieces) - 1
        if kind == "same" and len(text) > 2 * _CONTEXT + 8:
            head = "" if first else text[:_CONTEXT]
            tail = "" if last else text[-_CONTEXT:]
            text = f"{head} … {tail}"
        shortened.append((kind, text))
    return shortened
