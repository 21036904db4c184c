"""Keys that Hugo, Jekyll, Obsidian and other programs write into front matter, and what they are here."""

from __future__ import annotations

import json
import re

import yaml

from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.text.sanitize import word_set

_OTHER_NAMES = {
    other: key
    for key, others in {
        "title": "titel name heading headline überschrift",
        "author": "authors autor autorin autoren by byline creator von",
        "date": "datum publishdate pubdate published created created_at publish_date day",
        "summary": "description excerpt abstract lead teaser intro zusammenfassung anriss beschreibung",
        "topics": "tags tag keywords categories category themen thema schlagworte stichworte",
        "image": "cover thumbnail featured_image featuredimage feature_image images hero banner bild "
        "titelbild header_image",
        "image_alt": "imagealt cover_alt alt alttext alt_text bild_alt bildbeschreibung",
        "language": "lang locale sprache",
        "status": "state zustand",
    }.items()
    for other in others.split()
}
_PUBLISHED = word_set("published publish dg-publish veröffentlicht")
_FILE_NAMES = word_set("slug permalink url aliases redirect_from")
_NEEDLESS = word_set(
    """
    layout type id uuid uid weight toc cssclass cssclasses lastmod updated modified updated_at comments math
    mathjax katex markup output kind series subtitle version expirydate enabletoc template taxonomies params
    sitemap menu outputs resources cascade headless linktitle position sidebar banner_x banner_y publish
    share-link dg-publish
    """
)


def explain_foreign_key(name: str, value: yaml.Node) -> LocalizedText | None:
    """Return what to write instead of another program's key; None for a key that is not known."""
    key = name.casefold()
    written = value.value.strip().lower() if isinstance(value, yaml.ScalarNode) else "false"
    if key in _PUBLISHED and written in ("true", "false"):
        example = f"status: {'ready' if written == 'true' else 'draft'}"
        return localized("key-elsewhere", key=name[:40], name="status", example=example)
    if key in ("draft", "entwurf"):
        is_draft = written != "false"
        example = f"status: {'draft' if is_draft else 'ready'}"
        return localized("key-elsewhere", key=name[:40], name="status", example=example)
    if here := _OTHER_NAMES.get(key):
        example = f"{here}: {_as_value(here, value)}"
        return localized("key-elsewhere", key=name[:40], name=here, example=example)
    if key in _FILE_NAMES:
        return localized("key-file-name", key=name[:40])
    if key in _NEEDLESS:
        return localized("key-needless", key=name[:40])
    return None


def _as_value(key: str, node: yaml.Node) -> str:
    """Return what the editor wrote as the value of `key`: a list of topics, else one text."""
    if isinstance(node, yaml.SequenceNode):
        texts = [str(item.value) for item in node.value if isinstance(item, yaml.ScalarNode)]
    elif isinstance(node, yaml.ScalarNode):
        texts = re.split(r"\s*,\s*", node.value) if key == "topics" else [node.value]
    else:
        texts = []
    texts = [" ".join(text.split())[:60] for text in texts if text.strip()]
    if key == "topics":
        return f"[{', '.join(map(_plain, texts)) or '…'}]"
    return _plain(texts[0]) if texts else "…"


def _plain(text: str) -> str:
    """Return a text as YAML wants it: in quotation marks unless it is made of plain words."""
    return text if re.fullmatch(r"[\w./-]+", text) else json.dumps(text, ensure_ascii=False)
