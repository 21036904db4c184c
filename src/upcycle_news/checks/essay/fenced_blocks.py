"""Fenced blocks: an event has a date that is certain, a button leads somewhere, each block has its end."""

from __future__ import annotations

from collections.abc import Iterator

from upcycle_news.checks.essay.registry import EssayInput, essay_check
from upcycle_news.checks.findings import error, is_vague_link_text, warning
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Finding
from upcycle_news.rendering.markdown import is_mail_link
from upcycle_news.text.event_times import EventTimeError, read_event_time
from upcycle_news.text.markdown.fenced_blocks import (
    KINDS,
    OPENING,
    FencedBlock,
    fenced_blocks,
    intended_kind,
)
from upcycle_news.text.markdown.parser import words


@essay_check
def check_fenced_blocks(check_input: EssayInput) -> Iterator[Finding]:
    """Yield what is wrong with the fenced blocks of an essay, and those that nothing closes."""
    for block in fenced_blocks(check_input.parsed.tokens):
        where = check_input.at(block.line + 1)
        for field in block.repeated:
            place = check_input.at(field.line + 1)
            yield error("block-field", place, localized("block-field", field=field.value[:60]))
        if block.kind == "unknown":
            yield _unknown(where, block.word)
        elif block.kind == "event":
            yield from _event(check_input, block)
        elif block.kind == "button":
            yield from _button(where, block)
        elif not block.body:
            yield error("block-empty", where, localized("block-empty", block=block.word))
    for prose in check_input.parsed.blocks:
        for number, _, typed in prose.lines():
            if word := unclosed_word(typed):
                where = check_input.at(number)
                if word.casefold() in KINDS:
                    yield error("block-open", where, localized("block-open", block=word))
                else:
                    yield _unknown(where, word)


def unclosed_word(typed: str) -> str:
    """Return the word of a line of prose that would open a block of ours, or is nearly one that would."""
    match = OPENING.fullmatch(typed)
    word = match[1].partition(" ")[0] if match else ""
    return word if intended_kind(word) else ""


def _unknown(where: str, word: str) -> Finding:
    meant = intended_kind(word)
    hint = (
        localized("did-you-mean", name=meant)
        if meant
        else localized("known-are", names=tuple(KINDS))
    )
    return error("block-unknown", where, localized("block-unknown", block=word[:40], hint=hint))


def _event(check_input: EssayInput, block: FencedBlock) -> Iterator[Finding]:
    where = check_input.at(block.line + 1)
    if "date" in block.fields:
        yield from _date(check_input, block)
    else:
        yield error("event-date", where, localized("event-date-missing"))
    if not block.has_no_page:
        at_link = check_input.at(block.fields["link"].line + 1) if "link" in block.fields else where
        if block.link[1]:
            yield from _address(at_link, block.link[1])
        else:
            yield warning("event-link", at_link, localized("event-link-missing"))


def _date(check_input: EssayInput, block: FencedBlock) -> Iterator[Finding]:
    written = ", ".join(filter(None, map(block.field, ("date", "time", "end"))))
    where = check_input.at(block.fields["date"].line + 1)
    try:
        event = read_event_time(*map(block.field, ("date", "time", "end")))
    except EventTimeError as mistake:
        yield error("event-date", where, _mistake(mistake, written[:60]))
        return
    if event.last_day < check_input.essay.date:
        text = localized("event-past", day=event.last_day.isoformat())
        yield warning("event-past", where, text)


def _mistake(mistake: EventTimeError, written: str) -> LocalizedText:
    match mistake.mistake:
        case "year":
            meant = mistake.meant.isoformat() if mistake.meant else ""
            return localized("event-date-year", written=written, meant=meant)
        case "calendar":
            return localized("event-date-calendar", written=written)
        case "weekday":
            return localized("event-date-weekday", written=written)
        case "order":
            return localized("event-date-order", written=written)
        case _:
            return localized("event-date-form", written=written)


def _button(where: str, block: FencedBlock) -> Iterator[Finding]:
    button = block.button_link()
    if button is None:
        yield error("button-link", where, localized("button-link"))
        return
    label = words(button[0])
    # The text of a link is looked at where all links are.
    if ("link" in block.fields or block.title) and is_vague_link_text(label):
        yield warning("link-text-vague", where, localized("link-text-vague", text=label))
    if "link" in block.fields or not is_mail_link(button[1]):
        yield from _address(where, button[1])


def _address(where: str, address: str) -> Iterator[Finding]:
    if not is_mail_link(address):
        yield error("block-address", where, localized("block-address", link=address[:80]))
    elif address.startswith("http://"):
        yield warning("link-insecure", where, localized("link-insecure", link=address[:80]))
