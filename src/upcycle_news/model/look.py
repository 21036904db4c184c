"""What an issue looks like: its inputs as a manifest, and what rendering made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from upcycle_news.model.content import Issue, IssueId, Length


@dataclass(frozen=True)
class Publication:
    """The settings that show in a mail. `public_url` has no slash at its end.

    `images` says whether pictures travel in the mail or lie below `public_url`, `hosts` from which
    others a mail may load something, `readers_of` the topics whose readers get the issue (empty:
    everybody).
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
    """Something preflight noticed. An error refuses the issue, a warning does not."""

    level: Literal["error", "warning"]
    code: str
    where: str
    message: str
