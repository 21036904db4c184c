"""Reads the files of single issues: content/issues/2026-11-26.md, front matter and a greeting.

The name of a file is the id of its issue and nothing else, so that a file belongs to one issue for certain.
What is wrong with a file is an error of its issue; one whose name has no day could be meant for any issue.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from upcycle_news.content import frontmatter
from upcycle_news.content.essays import leftover, slug_of
from upcycle_news.content.frontmatter import FrontMatter
from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.fileio import did_you_mean, display_path, list_folder, os_reason, read_text
from upcycle_news.i18n.messages import LANGUAGES, LocalizedText, localized
from upcycle_news.models import Essay, EssayPlace, IssueFile, IssueId
from upcycle_news.models.content import LENGTHS, MAX_ANSWERS, base_of
from upcycle_news.models.front_matter import front_matter_keys
from upcycle_news.text.markdown.plain_line import plain_line
from upcycle_news.text.sanitize import word_set
from upcycle_news.text.urls import canonical_link

FOLDER = "issues"
KEYS = front_matter_keys(IssueFile)
_TEXTS = ("subject", "preheader", "greeting", "closing_note", "feeds_title", "question")
_LISTS = ("leave_out", "pin")
_NAME = re.compile(
    rf"(\d{{4}}-\d{{2}}-\d{{2}}(?:-[1-9]\d?)?)(?:\.({'|'.join(LANGUAGES)}))?\.md", re.ASCII
)

_OTHER_NAMES = {
    other: key
    for key, others in {
        "subject": "betreff betreffzeile title titel headline überschrift",
        "preheader": "preview vorschau vorschautext previewtext preview_text summary teaser",
        "greeting": "anrede gruß gruss grußwort begrüßung intro introduction einleitung editorial",
        "closing_note": "closing schluss schlusswort schlusssatz footer outro note",
        "essays": "essay texte artikel articles order reihenfolge",
        "leave_out": "leaveout weglassen auslassen ohne exclude skip ban",
        "pin": "pins items meldungen",
        "feeds_title": "feedstitle feed_title feeds_heading related related_title feeds",
        "question": "frage umfrage abstimmung poll survey",
        "answers": "antworten antwort answer options optionen choices auswahl",
        "not_before": "notbefore nicht_vor time uhrzeit zeit send_at sendezeit publish_at",
    }.items()
    for other in others.split()
}
_DAYS = word_set("date datum tag day")


@dataclass(frozen=True)
class ReadIssueFile:
    """The file of an issue, with the line of each key and of each entry of a list, by (key, entry)."""

    file: IssueFile
    lines: Mapping[tuple[str, str], int]

    def line(self, key: str, entry: str = "") -> int:
        """Return the line of a key, or of an entry of its list."""
        return self.lines.get((key, entry), self.lines.get((key, ""), 1))


@dataclass(frozen=True)
class IssueFiles:
    """All files of issues that could be read, and the errors of the others.

    An error belongs to an issue, or to None: a file whose name has no day could be meant for any issue.
    `translations` are the words of issues in further languages, by language.
    """

    files: Mapping[IssueId, ReadIssueFile] = field(default_factory=dict)
    errors: tuple[tuple[IssueId | None, ContentError], ...] = ()
    translations: Mapping[IssueId, Mapping[str, ReadIssueFile]] = field(default_factory=dict)

    def of(self, issue: IssueId) -> ReadIssueFile | None:
        """Return the file of an issue, None without one; raises `ContentError` that names all errors."""
        errors = [error for about, error in self.errors if about in (None, issue)]
        if errors:
            first, *more = errors
            raise ContentError(first.where, first.line, first.text, more)
        return self.files.get(issue)

    def translations_of(self, issue: IssueId) -> dict[str, IssueFile]:
        """Return the words of an issue in further languages, by language."""
        return {language: read.file for language, read in self.translations.get(issue, {}).items()}


def read_issue_files(content: Path, root: Path, zone: ZoneInfo, language: str) -> IssueFiles:
    """Read ``content/issues``; paths are shown relative to `root`, times are on the clock of `zone`.

    ``2026-11-26.en.md`` has the words of ``2026-11-26.md`` in another language than `language`. Broken files become errors, never exceptions. Hidden files, README files, copies that editors
    leave behind (``…~``) and folders are no files of issues.
    """
    folder = content / FOLDER
    try:
        paths = [path for path in list_folder(folder) if _is_meant(path)]
    except OSError as error:
        reason = localized("folder-unreadable", reason=os_reason(error))
        return IssueFiles({}, ((None, ContentError(display_path(folder, root), None, reason)),))
    own = base_of(language)
    files: dict[tuple[IssueId, str], ReadIssueFile] = {}
    errors: list[tuple[IssueId | None, ContentError]] = []
    for path in paths:
        where = display_path(path, root)
        issue, named, objection = _issue_of(path)
        if objection is not None or issue is None:
            errors.append(
                (issue, ContentError(where, 1, objection or localized("issue-file-name")))
            )
            continue
        written_in = named or own
        try:
            read, found = _read(
                path, where, issue, zone, language if written_in == own else named, own
            )
        except ContentError as error:
            read, found = None, [error]
        if (other := files.get((issue, written_in))) is not None:
            text = localized("issue-file-same", other=other.file.source)
            found = [ContentError(where, 1, text)]
        errors += [(issue, error) for error in found]
        if read is not None and not found:
            files[issue, written_in] = read
    translations: dict[IssueId, dict[str, ReadIssueFile]] = {}
    for (issue, written_in), read in files.items():
        if written_in != own:
            translations.setdefault(issue, {})[written_in] = read
    main = {issue: read for (issue, written_in), read in files.items() if written_in == own}
    for issue, told in translations.items():
        errors += [
            (issue, error)
            for read in told.values()
            for error in _other_answers(read, main.get(issue))
        ]
    return IssueFiles(main, tuple(errors), translations)


def _other_answers(read: ReadIssueFile, main: ReadIssueFile | None) -> Iterator[ContentError]:
    """Yield an error if a translation asks with other answers than the issue: they are counted by number."""
    if read.file.question and len(read.file.answers) != len(main.file.answers if main else ()):
        yield ContentError(
            read.file.source, read.line("answers"), localized("issue-file-answers-other")
        )


def _is_meant(path: Path) -> bool:
    name = path.name
    return not (name.startswith((".", "README")) or name.endswith("~") or path.is_dir())


def _issue_of(path: Path) -> tuple[IssueId | None, str, LocalizedText | None]:
    """Return the issue whose file this is, the language in its name, and what is wrong with that name."""
    named = re.match(r"\d{4}-\d{2}-\d{2}(?:-[1-9]\d?(?![\w-]))?", path.name, re.ASCII)
    try:
        issue = IssueId.parse(named[0]) if named else None
    except UpcycleError:  # 2026-02-30 is no day
        issue = None
    if issue is None:
        return None, "", localized("issue-file-name")
    parts = _NAME.fullmatch(path.name)
    if parts is None or parts[1] != str(issue):
        return issue, "", localized("issue-file-name-near", name=f"{issue}.md")
    return issue, parts[2] or "", None


def _read(
    path: Path, where: str, issue: IssueId, zone: ZoneInfo, language: str, own: str
) -> tuple[ReadIssueFile | None, list[ContentError]]:
    """Return the file and what is wrong with it; one in another language than `own` has words only."""
    text = read_text(path, where)
    if not text.startswith(("---", "+++")):
        raise ContentError(where, 1, localized("issue-file-head-missing"))
    parts = frontmatter.split_front_matter(where, text)
    head = FrontMatter(
        where,
        parts.head,
        KEYS,
        prose=_TEXTS,
        is_toml=parts.is_toml,
        explain_unknown=_explain_unknown,
    )
    if base_of(language) != own:
        for key in KEYS:
            if key not in (*_TEXTS, "answers") and head.has(key):
                elsewhere = localized("issue-file-key-of-both", key=key, main=f"{issue}.md")
                head.add_error(head.line(key), elsewhere)
    lines = {(key, ""): head.line(key) for key in KEYS if head.has(key)}
    values: dict[str, Any] = {}
    for key in _TEXTS:
        values[key] = head.text(key)
        if (objection := leftover(key, head.written(key))) is not None:
            head.add_error(head.line(key), objection)
        if key != "greeting":  # which is Markdown
            values[key] = plain_line(values[key], language)
    for key in (*_LISTS, "essays"):
        entries = head.entries(key, KEYS[key].example)
        values[key] = _entries(head, key, entries)
        lines |= {(key, name): line for name, _, line in reversed(entries)}
    left_out = {canonical_link(entry) for entry in values["leave_out"] if is_link(entry)}
    for link in values["pin"]:
        if canonical_link(link) in left_out:
            head.add_error(lines["pin", link], _in_and_out(link, "pin"))
    values["answers"] = _answers(head, language)
    if values["question"] and not head.has("answers"):
        head.add_error(head.line("question"), localized("issue-file-answers-missing"))
    values["not_before"] = _not_before(head, issue.day, zone)
    body_line = parts.body_line
    if values["greeting"] and parts.body:
        head.add_error(head.line("greeting"), localized("issue-file-two-greetings"))
    elif values["greeting"]:
        body_line = head.line("greeting")
    head.errors.sort(key=lambda error: error.line or 0)
    values["greeting"] = values["greeting"] or parts.body
    return ReadIssueFile(IssueFile(where, **values, body_line=body_line), lines), head.errors


def _explain_unknown(name: str, _: yaml.Node) -> LocalizedText:
    """Return what to write instead of a key that the file of an issue does not have."""
    key = name.casefold().replace("-", "_")
    if key in _DAYS:
        return localized("issue-file-day", key=name[:40])
    if here := _OTHER_NAMES.get(key) or (key if key in KEYS else None):
        return localized("key-elsewhere", key=name[:40], name=here, example=KEYS[here].example)
    return localized("issue-file-key", key=name[:40], hint=did_you_mean(name, KEYS))


def _entries(
    head: FrontMatter, key: str, entries: Sequence[tuple[str, str, int]]
) -> tuple[Any, ...]:
    """Return the entries of a list of essays or links; what is no entry of it, or twice, is an error."""
    seen: dict[str, Any] = {}
    for name, value, line in entries:
        if not name:
            head.add_error(line, localized("key-no-list", key=key, example=KEYS[key].example))
        elif name in seen:
            head.add_error(line, localized("issue-file-twice", name=name[:60], key=key))
        elif key == "essays":
            if value and value not in LENGTHS:
                hint = did_you_mean(value, LENGTHS)
                text = localized("key-choice", key=name[:60], value=value[:40], hint=hint)
                head.add_error(line, text)
            elif value in ("full", "auto") and seen:
                head.add_error(line, localized("issue-file-length", name=name[:60], length=value))
            seen[name] = EssayPlace(name, value or None)  # type: ignore[arg-type]
        elif value:
            head.add_error(line, localized("key-no-list", key=key, example=KEYS[key].example))
        else:
            seen[name] = name
            if not is_link(name) and (key == "pin" or "://" in name):
                head.add_error(line, localized("issue-file-no-link", key=key, link=name[:60]))
    return tuple(seen.values())


def _answers(head: FrontMatter, language: str) -> tuple[str, ...]:
    """Return the answers to the question of an issue; what nobody could choose well is an error."""
    if not head.has("answers"):
        return ()
    line, broken = head.line("answers"), len(head.errors)
    entries = head.entries("answers", KEYS["answers"].example)
    if not head.has("question"):
        if entries:
            head.add_error(line, localized("issue-file-question-missing"))
        return ()
    if (objection := leftover("answers", head.written("answers"))) is not None:
        head.add_error(line, objection)
    answers: dict[str, str] = {}
    for written, after_colon, at in entries:
        answer = plain_line(written, language)
        if after_colon:
            head.add_error(at, localized("issue-file-answer-colon", answer=written[:60]))
        elif not answer:
            head.add_error(at, localized("issue-file-answer-empty"))
        elif answer.casefold() in answers:
            head.add_error(at, localized("issue-file-twice", name=answer[:60], key="answers"))
        elif len(answers) == MAX_ANSWERS:
            text = localized("issue-file-answers-many", answer=answer[:60], limit=MAX_ANSWERS)
            head.add_error(at, text)
        answers.setdefault(answer.casefold(), answer)
    if len(answers) < 2 and len(head.errors) == broken:
        head.add_error(line, localized("issue-file-answers-few"))
    return tuple(answers.values())


def is_link(entry: str) -> bool:
    """Return whether an entry of ``leave_out`` is the link of a feed item, and no essay's name."""
    return bool(re.fullmatch(r"https?://[^\s/]+\S*", entry))


def _not_before(head: FrontMatter, day: date, zone: ZoneInfo) -> datetime | None:
    """Read ``07:30``, or the same with the issue's day before it; anything else is an error."""
    written = head.text("not_before")
    if not written:
        return None
    match = re.fullmatch(
        r"(?:(\d{4}-\d{2}-\d{2})[T ])?(\d{1,2})[:.](\d{2})(?::00)?(?: ?Uhr)?", written, re.ASCII
    )
    line = head.line("not_before")
    try:
        if match is None:
            raise ValueError(written)
        at = time(int(match[2]), int(match[3]))
        if match[1] and date.fromisoformat(match[1]) != day:
            head.add_error(line, localized("issue-file-other-day", day=day))
            return None
    except ValueError:
        head.add_error(line, localized("issue-file-time", written=written[:40]))
        return None
    moment = datetime.combine(day, at, zone)
    if moment.utcoffset() != moment.replace(fold=1).utcoffset():  # RFC 5545 3.3.5: skipped or twice
        head.add_error(line, localized("issue-file-clock-change", day=day, at=f"{at:%H:%M}"))
        return None
    return moment


def essay_errors(
    read: ReadIssueFile,
    issue: IssueId,
    essays: Sequence[Essay],
    published: Collection[str],
    limit: int,
) -> list[ContentError]:
    """Return what is wrong with the essays that a file names: each that the issue could not hold.

    `published` are the essays of other issues, `limit` is the number of essays that an issue holds.
    """
    by_slug = {essay.slug: essay for essay in essays}
    errors: list[tuple[int, LocalizedText]] = []
    for number, place in enumerate(read.file.essays, 1):
        line, essay = read.line("essays", place.slug), by_slug.get(place.slug)
        if essay is None:
            errors.append((line, _unknown_essay(place.slug, by_slug)))
        elif place.slug in read.file.leave_out:
            errors.append((line, _in_and_out(place.slug, "essays")))
        elif place.slug in published:
            errors.append((line, localized("issue-file-published", slug=place.slug)))
        elif essay.status != "ready":
            errors.append((line, localized("issue-file-draft", slug=place.slug)))
        elif essay.date > issue.day:
            text = localized("issue-file-later", slug=place.slug, date=essay.date)
            errors.append((line, text))
        elif number > limit:
            errors.append((line, localized("issue-file-too-many", slug=place.slug, limit=limit)))
    for entry in read.file.leave_out:
        if not is_link(entry) and entry not in by_slug:
            errors.append((read.line("leave_out", entry), _unknown_essay(entry, by_slug)))
    return [ContentError(read.file.source, line, text) for line, text in sorted(errors, key=_line)]


def _line(error: tuple[int, LocalizedText]) -> int:
    return error[0]


def _unknown_essay(written: str, known: Collection[str]) -> LocalizedText:
    meant = slug_of(Path(written.removesuffix(".md")))  # the whole name of a file, or its path
    hint = did_you_mean(meant if meant in known else written, known)
    return localized("issue-file-no-essay", slug=written[:60], hint=hint)


def _in_and_out(name: str, key: str) -> LocalizedText:
    return localized("issue-file-in-and-out", name=name[:60], key=key)
