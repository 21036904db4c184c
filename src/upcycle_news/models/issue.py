"""What an issue looks like: its inputs as a manifest, and what rendering made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal
from urllib.parse import quote

from upcycle_news.i18n.messages import LocalizedText
from upcycle_news.models.content import Issue, IssueId, Length


@dataclass(frozen=True)
class Publication:
    """The settings that show in a mail. No address has a slash at its end.

    `archive_url` is where the archive is published if not at `public_url`. `images` says whether
    pictures travel in the mail or lie in the archive, `hosts` from which others a mail may load
    something, `readers_of` the topics whose readers get the issue (empty: everybody).
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

    @property
    def site_url(self) -> str:
        """Where issues, essays and hosted pictures answer; empty without a public address."""
        return self.archive_url or self.public_url

    def site_address(self, path: str) -> str:
        """The whole address of a path of the archive; empty without a public address."""
        return f"{self.site_url}/{quote(path)}" if self.site_url else ""


class Placeholder(StrEnum):
    """What stands in a rendered issue where each reader gets a link of their own."""

    UNSUBSCRIBE = "https://reader.invalid/unsubscribe"
    PREFERENCES = "https://reader.invalid/preferences"


@dataclass(frozen=True)
class Manifest:
    """All inputs of one revision of an issue: rendering it again gives the same bytes.

    `templates` maps paths below templates/ to their texts, `images` paths below content/images to
    their bytes.
    """

    issue: Issue
    publication: Publication
    templates: Mapping[str, str]
    images: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class InlineImage:
    """An image that travels in the mail, shown by ``cid:`` and its `cid`."""

    cid: str
    content_type: str
    data: bytes


@dataclass(frozen=True)
class RenderedIssue:
    """An issue as bytes for everybody: personal links are still `Placeholder` values."""

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

    `code` is stable; `said` holds the sentence for every language, with its values.
    """

    level: Literal["error", "warning"]
    code: str
    where: str
    said: LocalizedText

    def in_language(self, language: str) -> str:
        """What, where and what to do, in this language."""
        return self.said.in_language(language)

    def line(self, language: str) -> str:
        """The same with place and code, as refusals tell it."""
        return f"{self.where}: {self.code}: {self.in_language(language)}"
