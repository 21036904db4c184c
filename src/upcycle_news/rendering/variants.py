"""Renders the variants of an issue: each with the bytes that it would have alone, in few conversions.

What takes time is the Markdown of the essays, which all variants of a language share, and turning MJML
into HTML. The templates are filled for each variant, and where their MJML is that of all items with some
blocks left out, its HTML is, too: the blocks' places are found by leaving out one item at a time. Whether
that holds for a publication's templates is tried with every item alone; where it does not (a design that
numbers its items), each variant is converted by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from upcycle_news.models import Manifest, RenderedIssue
from upcycle_news.models.variants import issue_of
from upcycle_news.rendering.render import FilledTemplates, IssueTemplates, render, render_issue

Items = frozenset[int]
"""Places of feed items among those of all readers."""


def render_variants(manifest: Manifest) -> tuple[RenderedIssue, ...]:
    """Render the variants of an issue in the order of their numbers; the first one is `render`'s.

    How much of the leading essay they show is decided once for a language, by the mail with all items.
    Raises as `render` does.
    """
    variants = manifest.variants
    if not variants:
        return (render(manifest.in_languages[0]),)
    rendered: dict[int, RenderedIssue] = {}
    for language in dict.fromkeys(variant.language for variant in variants.all):
        numbers = [n for n, variant in enumerate(variants.all) if variant.language == language]
        issues = {number: issue_of(manifest.issue, variants, number) for number in numbers}
        everything = issues[numbers[0]]
        items = {
            number: frozenset(
                place
                for place, related in enumerate(everything.related)
                if related in issue.related
            )
            for number, issue in issues.items()
        }
        by_items = _render_all(manifest.of(everything), set(items.values()))
        rendered |= {number: by_items[chosen] for number, chosen in items.items()}
    return tuple(rendered[number] for number in range(len(variants.all)))


def _render_all(manifest: Manifest, wanted: Collection[Items]) -> Mapping[Items, RenderedIssue]:
    """Return the mails with these items of a manifest in one language; one of them has all."""
    templates, whole = render_issue(manifest)
    count = len(manifest.issue.related)
    conversion = _Conversion(templates, whole, count)
    few = len(wanted) <= 2 * count + 2
    return {
        items: whole if len(items) == count else conversion.mail(items, alone=few)
        for items in sorted(wanted, key=sorted)
    }


@dataclass(frozen=True)
class _Block:
    """The part of a text that an item makes: its first character, and the one behind it."""

    start: int
    end: int


@dataclass(frozen=True)
class _Blocks:
    """A text with all items, and the block of each item in it."""

    text: str
    blocks: tuple[_Block, ...]

    def without(self, left_out: Collection[int]) -> str:
        """Return the text without the blocks of some items."""
        pieces, end = [], 0
        for number, block in enumerate(self.blocks):
            if number in left_out:
                pieces.append(self.text[end : block.start])
                end = block.end
        return "".join((*pieces, self.text[end:]))


class _Conversion:
    """Makes the mails of one language: from the HTML of all items where that gives the same bytes."""

    def __init__(self, templates: IssueTemplates, whole: RenderedIssue, count: int) -> None:
        self._templates, self._whole = templates, whole
        self._all = frozenset(range(count))
        self._css = templates.fill().css

    def mail(self, items: Items, *, alone: bool) -> RenderedIssue:
        """Return the mail with these items; `alone`: converted by itself."""
        filled = self._templates.with_stories(items).fill()
        html = None if alone or not items else self._cut(items, filled)
        return self._templates.rendered(filled, html or self._templates.to_html(filled))

    def _cut(self, items: Items, filled: FilledTemplates) -> str | None:
        """Return the HTML of some items as that of all without the others' blocks; None where it is not."""
        if self._blocks is None or filled.css != self._css:
            return None
        mjml, html = self._blocks
        left_out = self._all - items
        return html.without(left_out) if mjml.without(left_out) == filled.mjml else None

    @cached_property
    def _blocks(self) -> tuple[_Blocks, _Blocks] | None:
        """The blocks in MJML and HTML; None where the templates do more with an item than to write it."""
        fewer = {n: self._templates.with_stories(self._all - {n}).fill() for n in sorted(self._all)}
        mjml = _find_blocks(self._whole.mjml, [filled.mjml for filled in fewer.values()])
        if mjml is None:
            return None
        html = _find_blocks(self._whole.html, list(map(self._templates.to_html, fewer.values())))
        if html is None:
            return None
        for number in sorted(self._all):
            filled = self._templates.with_stories({number}).fill()
            if self._templates.to_html(filled) != html.without(self._all - {number}):
                return None
        return mjml, html


def _find_blocks(text: str, fewer: Sequence[str]) -> _Blocks | None:
    """Return each item's block in a text, given the text without each; None where they are no blocks.

    A block may be taken to begin a little earlier or later where it begins like what follows it. In a loop
    all of them may, by the same number of characters: that is looked for first.
    """
    ranges = [_starts(text, without) for without in fewer]
    lengths = [len(text) - len(without) for without in fewer]
    if any(earliest > latest for earliest, latest in ranges) or min(lengths, default=0) <= 0:
        return None
    offsets = [sum(lengths[:number]) for number in range(len(lengths))]
    first = max(low - offset for (low, _), offset in zip(ranges, offsets, strict=True))
    in_a_row = first <= min(
        high - offset for (_, high), offset in zip(ranges, offsets, strict=True)
    )
    starts = [first + offset for offset in offsets] if in_a_row else [low for low, _ in ranges]
    blocks = tuple(
        _Block(start, start + length) for start, length in zip(starts, lengths, strict=True)
    )
    if any(one.end > other.start for one, other in pairwise(blocks)):
        return None
    return _Blocks(text, blocks)


def _starts(text: str, without: str) -> tuple[int, int]:
    """Return the earliest and the latest place of the one piece that `without` lacks."""
    return len(without) - _common(text[::-1], without[::-1]), _common(text, without)


def _common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
