"""An essay as a record of JSON, which may be kept beside the files that it was read from.

The text is not in it: that is in the file, whose content has to be the same as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date
from typing import Any, Protocol

from upcycle_news.content.frontmatter import split_front_matter
from upcycle_news.models import Essay, ImageRef


class KeptRecords(Protocol):
    """Records of essays that were read before, each by the files and settings that it was made of."""

    def each(self, inputs: Any, values: Sequence[Any], make: Callable[[Any], Any]) -> Sequence[Any]:
        """Return what `make` returns, or returned before, for each value; it depends on `inputs`, too."""


def record_of(essay: Essay) -> dict[str, Any]:
    """Return all of an essay and its translations but their texts."""
    record = {
        field.name: getattr(essay, field.name) for field in fields(Essay) if field.name != "body"
    }
    record["date"] = essay.date.isoformat()
    record["image"] = asdict(essay.image) if essay.image else None
    record["translations"] = [record_of(one) for one in essay.translations]
    return record


def essay_of(record: Mapping[str, Any], texts: Mapping[str, str]) -> Essay:
    """Return the essay of a record; `texts` are the contents of its files by `Essay.source`."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
    }
    values["date"] = date.fromisoformat(record["date"])
    values["image"] = ImageRef(**record["image"]) if record["image"] else None
    values["translations"] = tuple(essay_of(one, texts) for one in record["translations"])
    source = record["source"]
    return Essay(**values, body=split_front_matter(source, texts[source]).body)
