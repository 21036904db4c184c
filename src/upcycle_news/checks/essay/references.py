"""Links, pictures and footnotes: where they lead, and what of them is left as text or shown nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from upcycle_news.checks.essay.parsed import Block
from upcycle_news.checks.essay.registry import EssayInput, essay_check
from upcycle_news.checks.findings import error, is_vague_link_text, warning
from upcycle_news.fileio import similar_name
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Finding
from upcycle_news.rendering.markdown import Reference, is_mail_link, references
from upcycle_news.text.image_paths import image_path

_ADDRESS = r"(?:(?:https?://|mailto:|www\.)[^()\s]+|/?[^()\s]+\.(?:pdf|html?|jpe?g|png|docx?|odt))"
_PARTED = re.compile(rf"\[([^\[\]\n]+)\][ \t\n]+\(({_ADDRESS})\)")
_SWAPPED = re.compile(r"\(([^()\n]+)\)\[((?:https?://|mailto:|www\.)[^\[\]\s]+)\]")
# What looks like an address, with spaces, and perhaps the (1) of a second download.
_SPACES = re.compile(
    r"(!?)\[([^\[\]\n]*)\]\(((?=[^\n]*[./:#])(?=\S*[ \t]+\S)(?:[^()\n]|\([^()\n]*\))+)\)"
)
_OPEN = re.compile(r"(!?)\[([^\[\]\n]+)\]\(((?:https?://|mailto:)[^()\s]*)(?=\s|$)")
_UNDEFINED = re.compile(r"\[([^\[\]\n^]+)\]\[([^\[\]\n]*)\]")
_UNDEFINED_NOTE = re.compile(r"\[\^([^\[\]\n]+)\]")
_DEFINITION_AS_TEXT = re.compile(r"^\[[^\[\]^\n]+\]:[ \t]+<?(?:https?://|mailto:)", re.MULTILINE)


@essay_check
def _images(check_input: EssayInput) -> Iterator[Finding]:
    for reference in _references(check_input, "image"):
        where, target = check_input.at(reference.line), reference.target
        path = image_path(target)
        if path is None:
            yield error("image-foreign", where, localized("image-foreign", image=target[:80]))
        elif check_input.images is not None and path not in check_input.images:
            hint = similar_name(path, check_input.images)
            yield error("image-missing", where, localized("image-missing", image=path, hint=hint))
        if not reference.text.strip():
            yield error("image-alt-missing", where, localized("image-alt-missing"))


@essay_check
def _links(check_input: EssayInput) -> Iterator[Finding]:
    for reference in _references(check_input, "link"):
        where, target = check_input.at(reference.line), reference.target
        if target.startswith("#"):
            yield error("anchor-dead", where, localized("anchor-dead", link=target[:80]))
        elif not is_mail_link(target):
            yield error("link-relative", where, localized("link-relative", link=target[:80]))
        elif target.startswith("http://"):
            yield warning("link-insecure", where, localized("link-insecure", link=target[:80]))
        if not reference.text.strip():
            yield error("link-empty", where, localized("link-empty", link=target[:80]))
        elif is_vague_link_text(reference.text):
            text = localized("link-text-vague", text=reference.text)
            yield warning("link-text-vague", where, text)


def _references(check_input: EssayInput, kind: str) -> Iterator[Reference]:
    for reference in references(check_input.essay.body):
        if reference.kind == kind:
            yield reference


@essay_check
def _broken_links(check_input: EssayInput) -> Iterator[Finding]:
    """Yield what was meant as a link or a picture, and is none."""
    for block in check_input.parsed.blocks:
        for match in _PARTED.finditer(block.typed):
            better = f"[{match[1][:40]}]({match[2][:60]})"
            yield _broken(check_input, block, match, localized("link-parted", better=better))
        for match in _SWAPPED.finditer(block.typed):
            better = f"[{match[1][:40]}]({match[2][:60]})"
            yield _broken(check_input, block, match, localized("link-swapped", better=better))
        for match in _SPACES.finditer(block.typed):
            better = f"{match[1]}[{match[2][:40]}]({_target(match)})"
            yield _broken(check_input, block, match, localized("link-spaces", better=better))
        for match in _OPEN.finditer(block.typed):
            better = f"{match[0][:100]})"
            yield _broken(check_input, block, match, localized("link-open", better=better))
        for match in _DEFINITION_AS_TEXT.finditer(block.typed):
            yield _broken(check_input, block, match, localized("link-definition-as-text"))


def _target(match: re.Match[str]) -> str:
    """Return how to write the address of `_SPACES`: a link to a file beside the essay leads nowhere."""
    if not match[1] and "://" not in match[3]:
        return "https://…"
    address = re.sub(r"[ \t]+=\d*x\d*$", "", match[3].strip())[:60]  # a size, as Typora writes it
    return f"<{address}>" if re.search(r"\s", address) else address


def _broken(
    check_input: EssayInput, block: Block, match: re.Match[str], text: LocalizedText
) -> Finding:
    return warning("link-broken", check_input.at(block.line_at(match.start())), text)


@essay_check
def _definitions(check_input: EssayInput) -> Iterator[Finding]:
    """Yield footnotes and addresses that are asked for and not there, or there and not asked for."""
    parsed = check_input.parsed
    for block in parsed.blocks:
        for match in _UNDEFINED.finditer(block.typed):
            where = check_input.at(block.line_at(match.start()))
            label = (match[2] or match[1])[:40]
            yield warning("link-undefined", where, localized("link-undefined", label=label))
        for match in _UNDEFINED_NOTE.finditer(block.typed):
            where = check_input.at(block.line_at(match.start()))
            label = match[1][:40]
            yield error("note-undefined", where, localized("note-undefined", label=label))
    seen: set[str] = set()
    for note in parsed.notes:
        where, label = check_input.at(note.line), note.label[:40]
        if note.label in seen:
            yield error("note-repeated", where, localized("note-repeated", label=label))
        elif note in parsed.unused_notes:
            yield error("note-unused", where, localized("note-unused", label=label))
        seen.add(note.label)
    for link in parsed.unused_links:
        text = localized("link-unused", label=link.label.lower()[:40])
        yield warning("link-unused", check_input.at(link.line), text)
    for link in parsed.repeated_links:
        text = localized("link-repeated", label=link.label.lower()[:40])
        yield warning("link-unused", check_input.at(link.line), text)
