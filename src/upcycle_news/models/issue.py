"""An issue's inputs as a manifest, the rendered result, and findings about both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal
from urllib.parse import quote

from upcycle_news.i18n.messages import LocalizedText
from upcycle_news.models.content import Issue, IssueId, Length, base_of
from upcycle_news.models.variants import Variants


@dataclass(frozen=True)
class Channel:
    """Another place where the house can be followed."""

    name: str
    url: str


@dataclass(frozen=True)
class Author:
    """What a mail says about an author: `portrait` is a path below content/images, or empty.

    `translations` are pairs of a language and what is said in it.
    """

    name: str
    about: str = ""
    portrait: str = ""
    translations: tuple[tuple[str, str], ...] = ()

    def in_language(self, language: str) -> Author:
        """Return what is said in a language: nothing where it was not translated."""
        return replace(self, about=dict(self.translations).get(base_of(language), ""))


@dataclass(frozen=True)
class PublicationTexts:
    """What a publication says of itself in a further language; what is empty is as in its own."""

    language: str
    name: str = ""
    tagline: str = ""
    closing_note: str = ""
    imprint: tuple[str, ...] = ()
    imprint_url: str = ""
    privacy_url: str = ""


@dataclass(frozen=True)
class Publication:
    """The settings that show in a mail. No URL ends with a slash.

    `archive_url` is the archive's URL if it is not `public_url`. `images` says whether mails embed
    pictures or link to those of the archive, `hosts` from which other hosts a mail may load
    something, `readers_of` the topics whose subscribers get the issue (empty: all subscribers).
    `texts` are those of the further languages that readers may choose, `topic_labels` what readers see of
    topics: language, topic and label; `language_labels` are the same of languages.
    """

    name: str
    tagline: str
    language: str
    timezone: str
    public_url: str
    imprint: tuple[str, ...]
    closing_note: str = ""
    sender_name: str = ""
    sender_address: str = ""
    reply_to: str = ""
    length: Length = "auto"
    images: Literal["embedded", "hosted"] = "embedded"
    hosts: tuple[str, ...] = ()
    readers_of: tuple[str, ...] = ()
    archive_url: str = ""
    imprint_url: str = ""
    privacy_url: str = ""
    channels: tuple[Channel, ...] = ()
    authors: tuple[Author, ...] = ()
    texts: tuple[PublicationTexts, ...] = ()
    topic_labels: tuple[tuple[str, str, str], ...] = ()
    language_labels: tuple[tuple[str, str, str], ...] = ()

    def language_label(self, named: str, language: str) -> str:
        """Return what readers of a language see of another one; empty without a label."""
        for labelled, name, label in self.language_labels:
            if (labelled, name) == (base_of(language), named):
                return label
        return ""

    def topic_label(self, topic: str, language: str) -> str:
        """Return what readers of a language see of a topic; without a label the topic itself."""
        for labelled, name, label in self.topic_labels:
            if labelled == base_of(language) and name.casefold() == topic.casefold():
                return label
        return topic

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that readers may choose, the publication's own first."""
        return (self.language, *(texts.language for texts in self.texts))

    def in_language(self, language: str) -> Publication:
        """Return the publication as it speaks in a language: itself in its own, and in unknown ones."""
        for texts in self.texts:
            if texts.language == base_of(language):
                given = {
                    key: value
                    for key in ("name", "tagline", "imprint", "imprint_url", "privacy_url")
                    if (value := getattr(texts, key))
                }
                authors = tuple(author.in_language(language) for author in self.authors)
                return replace(
                    self,
                    language=texts.language,
                    closing_note=texts.closing_note,
                    authors=authors,
                    **given,
                )
        return self

    @property
    def site_url(self) -> str:
        """The archive's base URL; empty without a public URL."""
        return self.archive_url or self.public_url

    def site_address(self, path: str) -> str:
        """Return the absolute URL of an archive path; empty without a public URL."""
        return f"{self.site_url}/{quote(path)}" if self.site_url else ""


class Placeholder(StrEnum):
    """URLs in a rendered issue that are replaced by each subscriber's own link."""

    UNSUBSCRIBE = "https://reader.invalid/unsubscribe"
    PREFERENCES = "https://reader.invalid/preferences"


@dataclass(frozen=True)
class Manifest:
    """All inputs of one revision of an issue; rendering them again gives the same bytes.

    `templates` maps paths below templates/ to their texts, `images` paths below content/images to
    their bytes. `variants` are fixed with it: which readers choose later makes no difference. `elsewhere` is,
    in the manifest of one language (`of`), where the issue is in the others: language and folder; never stored.
    """

    issue: Issue
    publication: Publication
    templates: Mapping[str, str]
    images: Mapping[str, bytes] = field(default_factory=dict)
    variants: Variants = field(default_factory=Variants)
    elsewhere: tuple[tuple[str, str], ...] = ()

    @property
    def in_languages(self) -> tuple[Manifest, ...]:
        """The manifest of the issue in each of its languages, the main one first."""
        return tuple(self.of(issue) for issue in self.issue.in_languages)

    def of(self, issue: Issue) -> Manifest:
        """Return the manifest of the issue as it is for some readers, in the words of its language."""
        publication = self.publication.in_language(issue.language)
        elsewhere = tuple(
            (base_of(one.language), one.folder)
            for one in self.issue.in_languages
            if one.folder != issue.folder
        )
        return replace(self, issue=issue, publication=publication, elsewhere=elsewhere)


@dataclass(frozen=True)
class InlineImage:
    """An image embedded in the mail and referenced as ``cid:`` plus `cid` (RFC 2392)."""

    cid: str
    content_type: str
    data: bytes


@dataclass(frozen=True)
class RenderedIssue:
    """A rendered issue, the same for all subscribers: personal links are `Placeholder` values."""

    issue: IssueId
    language: str
    subject: str
    html: str
    text: str
    mjml: str
    images: tuple[InlineImage, ...] = ()


@dataclass(frozen=True)
class Finding:
    """Something preflight noticed. An error refuses the issue, a warning does not.

    `code` is stable; `text` is the sentence for every language, with its values.
    """

    level: Literal["error", "warning"]
    code: str
    where: str
    text: LocalizedText

    def in_language(self, language: str) -> str:
        """Return the sentence in `language`."""
        return self.text.in_language(language)

    def line(self, language: str) -> str:
        """Return ``place: code: sentence``."""
        return f"{self.where}: {self.code}: {self.in_language(language)}"

    @property
    def place(self) -> tuple[str, int]:
        """File and line; a finding about a whole file gets its first line."""
        file, colon, line = self.where.rpartition(":")
        return (file, int(line)) if colon and line.isdecimal() else (self.where, 1)

    def as_dict(self, language: str) -> dict[str, Any]:
        """Return the object that `check --json` prints."""
        file, line = self.place
        return {
            "level": self.level,
            "code": self.code,
            "where": self.where,
            "message": self.in_language(language),
            "file": file,
            "line": line,
        }
