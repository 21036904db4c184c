"""Encode and decode a manifest: canonical JSON, and the images by their SHA-256."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from upcycle_news.models import (
    Author,
    Channel,
    Issue,
    Manifest,
    Publication,
    PublicationTexts,
    Question,
    Variant,
    Variants,
)
from upcycle_news.models.content import base_of
from upcycle_news.storage.database import naming_damage

if TYPE_CHECKING:
    from pydantic import TypeAdapter

FORMAT = 1
_LISTS = ("imprint", "hosts", "readers_of")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Return what validates values of a type; made late, since many commands read no manifest."""
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def encode(manifest: Manifest) -> tuple[str, dict[str, bytes]]:
    """Return the manifest as canonical JSON, and the images it names by SHA-256."""
    images = {path: sha256(data).hexdigest() for path, data in manifest.images.items()}
    content: dict[str, Any] = {
        "format": FORMAT,
        "issue": _adapter(Issue).dump_python(manifest.issue, mode="json"),
        "publication": asdict(manifest.publication),
        "templates": dict(manifest.templates),
        "images": images,
    }
    if manifest.variants != Variants():
        content["variants"] = asdict(manifest.variants)
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1)
    return text, {images[path]: data for path, data in manifest.images.items()}


@naming_damage()
def decode(text: str, blobs: Mapping[str, bytes]) -> Manifest:
    """Return the manifest from its JSON and its images; raises `DamagedValueError`, as all that read it do."""
    content = json.loads(text)
    publication = content["publication"]
    publication |= {key: tuple(publication.get(key, ())) for key in _LISTS}
    publication["channels"] = tuple(Channel(**one) for one in publication.get("channels", ()))
    publication["authors"] = _adapter(tuple[Author, ...]).validate_python(
        publication.get("authors", ())
    )
    for key in ("topic_labels", "language_labels"):
        publication[key] = tuple(map(tuple, publication.get(key, ())))
    publication["texts"] = _adapter(tuple[PublicationTexts, ...]).validate_python(
        publication.get("texts", ())
    )
    return Manifest(
        issue=_adapter(Issue).validate_python(content["issue"]),
        publication=Publication(**publication),
        templates=content["templates"],
        images={path: blobs[image_hash] for path, image_hash in content["images"].items()},
        variants=_variants(content),
    )


@naming_damage()
def variants_of(text: str) -> Variants:
    """Return the variants that a manifest's JSON names; without any for an issue that has one only."""
    return _variants(json.loads(text))


def _variants(content: Mapping[str, Any]) -> Variants:
    stored = content.get("variants")
    if stored is None:
        return Variants()
    return Variants(
        tuple(stored["offered"]),
        tuple(
            Variant(one["language"], None if one["topics"] is None else tuple(one["topics"]))
            for one in stored["all"]
        ),
        tuple(stored["languages"]),
    )


@naming_damage()
def image_hashes(text: str) -> list[str]:
    """Return the SHA-256 of every image that a manifest's JSON names."""
    return list(json.loads(text)["images"].values())


@naming_damage()
def not_before(text: str) -> datetime | None:
    """Return the time that the file of the issue names in a manifest's JSON, if there is one."""
    file = json.loads(text)["issue"].get("file") or {}
    written = file.get("not_before")
    return datetime.fromisoformat(written) if written else None


@naming_damage()
def question(text: str, language: str = "") -> tuple[Question, str] | None:
    """Return the question in a manifest's JSON, if the issue asks one, and the language that it is in.

    That is `language` where the issue asks in it, else the issue's own.
    """
    issue = json.loads(text)["issue"]
    if issue["id"].get("correction") or issue["id"].get("digest"):
        return None
    asked = [
        (Question(file["question"], tuple(file["answers"])), told["language"])
        for told in (issue, *issue.get("translations", ()))
        if (file := told.get("file") or {}).get("question")
    ]
    in_language = (one for one in asked if base_of(one[1]) == base_of(language))
    return next(in_language, asked[0] if asked else None)


def revision_id_of(text: str) -> str:
    """Return the id of the revision: SHA-256 over the manifest's JSON, in hexadecimal."""
    return sha256(text.encode()).hexdigest()
