"""What a build keeps for the next one: of what each issue's pages were made, and which bytes they have.

A page is rendered again when anything that goes into it differs, or its file does. What goes into it is a
key, a SHA-256: the issue as it is shown now, what every page shows (`site_key`), and the issues before and
after it. Lists, feed, site map and search are made of what is kept of each issue, so that an issue that
has not changed is not even loaded. Nothing here is needed: without it everything is rendered.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from upcycle_news.archive_site.atom_sitemap import MappedIssue
from upcycle_news.archive_site.icons import shown_names
from upcycle_news.archive_site.search_index import SearchDocument, SearchIndex
from upcycle_news.archive_site.view_models import (
    CorrectionView,
    EssayView,
    IssueEntry,
    SiteConfig,
)
from upcycle_news.models import IssueId
from upcycle_news.rendering.essay_fields import ExtraFields, table_of, values_of

_PACKAGES = (
    "archive_site",
    "curation",
    "models",
    "rendering",
    "services/archive",
    "storage",
    "text",
)
_LIBRARIES = (
    "Babel",
    "Jinja2",
    "MarkupSafe",
    "PyStemmer",
    "markdown-it-py",
    "mdit-py-plugins",
    "pillow",
)


@dataclass(frozen=True)
class IssueSource:
    """An issue to be shown, not loaded: `key` stands for all that its `SentIssue` is made of."""

    id: IssueId
    key: str


@dataclass(frozen=True)
class KeptIssue:
    """What a build keeps of an issue beside the words that the search finds.

    `content` is the key of its content as the site shows it, `key` also that of its neighbours. `folders`
    are those of its languages; by folder, `files` are the SHA-256 of its files by path, `documents` the
    number of those that the search finds, and `entries` how lists show it. `essays` is the number of those
    that are shown. A withdrawn one has no entries and no `mapped`.
    """

    id: IssueId
    content: str
    key: str
    folders: tuple[str, ...]
    files: Mapping[str, Mapping[str, str]]
    documents: Mapping[str, int]
    entries: Mapping[str, IssueEntry | None]
    mapped: MappedIssue | None
    essays: int


@dataclass(frozen=True)
class KeptSite:
    """What a build leaves for the next one: its issues by content, its lists, and entries of its feeds.

    `lists` are the SHA-256 of the files that are made of all issues, `lists_key` stands for what went into
    them. `feed` are entries of the feeds, by folder and the issue's content; `origin` is the feed's id by
    the revision that it is derived from.
    """

    issues: Mapping[str, KeptIssue] = field(default_factory=dict)
    lists_key: str = ""
    lists: Mapping[str, str] = field(default_factory=dict)
    feed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KeptSearch:
    """The index of the search in a language, and of which issues' content it was made, by number.

    `key` stands for what else went into it.
    """

    key: str
    contents: list[str]
    index: SearchIndex


def digest(*parts: object) -> str:
    """Return the SHA-256 of values that JSON can tell apart."""
    return sha256(json.dumps(parts, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of a file's bytes."""
    return sha256(data).hexdigest()


def site_key(config: SiteConfig) -> str:
    """Return the key of what every page shows: program, templates, settings, and names of icons."""
    return digest(
        program_key(),
        asdict(config.publication),
        dict(config.templates),
        config.subscribe,
        config.index_html,
        shown_names(config.static),
        {path: digest_of(data) for path, data in config.pictures.items()},
    )


@cache
def program_key() -> str:
    """Return the key of the code that makes pages, and of the libraries that it uses."""
    package = Path(__file__).parents[1]
    code = {
        path.relative_to(package).as_posix(): digest_of(path.read_bytes())
        for name in _PACKAGES
        for path in sorted((package / name).rglob("*"))
        if path.suffix in (".py", ".js", ".html")
    }
    return digest(sys.version, code, {name: _version(name) for name in _LIBRARIES})


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


# --- as JSON


def encode_site(site: KeptSite) -> bytes:
    """Return what a build keeps as JSON, one issue a line."""
    lines = [json.dumps({name: value for name, value in vars(site).items() if name != "issues"})]
    lines += (
        # Dates are among a publication's own fields only before their issue is in the store.
        json.dumps(_issue_json(issue), ensure_ascii=False, default=str)
        for issue in site.issues.values()
    )
    return "\n".join(lines).encode()


def decode_site(data: bytes) -> KeptSite:
    """Return what a build kept; raises `ValueError`, `LookupError` or `TypeError` for anything else."""
    first, *lines = data.decode().split("\n")
    issues = (_issue(json.loads(line)) for line in lines)
    return KeptSite(issues={issue.content: issue for issue in issues}, **json.loads(first))


def encode_documents(documents: Mapping[str, Iterable[SearchDocument | None]]) -> bytes:
    """Return what the search finds of an issue, by the folder of the language, as JSON."""
    content = {
        folder: [one and {**vars(one), "stems": sorted(one.stems)} for one in found]
        for folder, found in documents.items()
    }
    return json.dumps(content, ensure_ascii=False).encode()


def decode_documents(data: bytes) -> dict[str, list[SearchDocument | None]]:
    """Return what the search finds of an issue; raises as `decode_site` does."""
    return {
        folder: [
            one and SearchDocument(**{**one, "stems": frozenset(one["stems"])}) for one in found
        ]
        for folder, found in json.loads(data).items()
    }


def encode_search(search: KeptSearch) -> bytes:
    """Return an index of the search as JSON."""
    index = {**vars(search.index), "stems": sorted(search.index.stems)}
    return json.dumps({**vars(search), "index": index}, ensure_ascii=False).encode()


def decode_search(data: bytes) -> KeptSearch:
    """Return an index of the search; raises as `decode_site` does."""
    content = json.loads(data)
    index = content["index"]
    search = SearchIndex(**{**index, "stems": set(index["stems"])})
    return KeptSearch(content["key"], content["contents"], search)


def _issue_json(issue: KeptIssue) -> dict[str, Any]:
    mapped = issue.mapped
    return {
        **vars(issue),
        "id": str(issue.id),
        "mapped": mapped and {**vars(mapped), "changed_at": mapped.changed_at.isoformat()},
        "entries": {folder: entry and _plain(entry) for folder, entry in issue.entries.items()},
    }


def _issue(content: dict[str, Any]) -> KeptIssue:
    mapped = content["mapped"]
    if mapped is not None:
        changed_at = datetime.fromisoformat(mapped["changed_at"])
        mapped = MappedIssue(**{**mapped, "changed_at": changed_at})
    entries = {folder: entry and _entry(entry) for folder, entry in content["entries"].items()}
    issue_id = IssueId.parse(content["id"])
    given = {"id": issue_id, "folders": tuple(content["folders"]), "mapped": mapped}
    return KeptIssue(**{**content, **given, "entries": entries})


def _entry(content: dict[str, Any]) -> IssueEntry:
    greeting = Markup(content["greeting"])  # noqa: S704  it was one
    essays = tuple(map(_essay, content["essays"]))
    return IssueEntry(**{**content, "greeting": greeting, "essays": essays})


def _essay(content: dict[str, Any]) -> EssayView:
    corrections = tuple(CorrectionView(**one) for one in content.pop("corrections"))
    values = {name: _value(value) for name, value in content.items()}
    values["corrections"] = corrections
    values["html"] = Markup(content["html"])  # noqa: S704  it was one
    return EssayView(**values)


def _plain(view: Any) -> dict[str, Any]:
    """Return the fields of a view as JSON knows them."""
    return {one.name: _plain_value(getattr(view, one.name)) for one in fields(view)}


def _plain_value(value: Any) -> Any:
    """Return a value as JSON knows it: the publication's own tables, and what is no list, have a mark."""
    if isinstance(value, (EssayView, CorrectionView)):
        return _plain(value)
    if isinstance(value, ExtraFields):
        return {"table": {name: _plain_value(one) for name, one in values_of(value).items()}}
    if isinstance(value, list):
        return {"list": [_plain_value(one) for one in value]}
    if isinstance(value, tuple):
        return [_plain_value(one) for one in value]
    return value


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        if "table" in value:
            return table_of({name: _value(one) for name, one in value["table"].items()})
        return [_value(one) for one in value["list"]]
    return tuple(map(_value, value)) if isinstance(value, list) else value
