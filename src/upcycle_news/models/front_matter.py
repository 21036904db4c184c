"""What a field of `Essay` is in the front matter of its file: declared once, beside the field.

Reading, the reference, the views of templates and the comparison of revisions follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class FrontMatterKey:
    """A key of the front matter. `meaning` and `example` are its row in the reference.

    A `required` one must be there; `in_templates` gives it to every view of an essay; `beside` are
    keys that belong to it.
    """

    meaning: str
    example: str
    required: bool = False
    in_templates: bool = False
    beside: tuple[str, ...] = ()


_METADATA = "front_matter"


def front_matter(
    meaning: str,
    example: str,
    *,
    required: bool = False,
    in_templates: bool = False,
    beside: tuple[str, ...] = (),
) -> dict[str, FrontMatterKey]:
    """Return the metadata of a dataclass field that is read from the front matter."""
    return {_METADATA: FrontMatterKey(meaning, example, required, in_templates, beside)}


def front_matter_keys(model: Any) -> Mapping[str, FrontMatterKey]:
    """Return the fields of a dataclass that stand in the front matter, in their order."""
    return {
        field.name: field.metadata[_METADATA]
        for field in fields(model)
        if _METADATA in field.metadata
    }
