"""What is stored by language and topic, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from upcycle_news.models import EmailAddress, IssueId
from upcycle_news.storage import corrections, wordings
from upcycle_news.storage.corrections import Correction, CorrectionKind
from upcycle_news.storage.database import Store, open_store
from upcycle_news.storage.revisions import load_revision, save_revision

from ..models.sample_translations import translated_manifest
from .sample_rows import NOW

ANNA = EmailAddress.parse("anna@example.org")
ISSUE = IssueId.parse("2026-11-26")


@pytest.fixture
def both(any_store: str) -> Iterator[Store]:
    store = open_store(any_store)
    yield store
    store.close()


def test_a_revision_keeps_all_languages_and_labels(both: Store) -> None:
    manifest = translated_manifest()
    saved = save_revision(both, manifest, git_commit="", now=NOW)
    loaded = load_revision(both, manifest.issue.id, saved.revision_id)
    assert loaded is not None
    assert loaded.manifest == manifest


def test_another_translation_is_another_revision(both: Store) -> None:
    manifest = translated_manifest()
    first = save_revision(both, manifest, git_commit="", now=NOW)
    (english,) = manifest.issue.translations
    other = replace(manifest.issue, translations=(replace(english, subject="Another"),))
    second = save_revision(both, replace(manifest, issue=other), git_commit="", now=NOW)
    assert first.revision_id != second.revision_id


def test_a_correction_keeps_its_note_in_each_language(both: Store) -> None:
    manifest = translated_manifest()
    save_revision(both, manifest, git_commit="", now=NOW)
    made = Correction(
        ISSUE, CorrectionKind.CORRECTION, "schraube", "Gebaut 1962.", "Ada", NOW,
        corrected=manifest.issue.essays[0], notes={"en": "Built in 1962."},
    )  # fmt: skip
    corrections.add_correction(both, made)
    assert corrections.all_corrections(both) == (made,)


def test_a_wording_is_kept_for_each_language(both: Store) -> None:
    save_revision(both, translated_manifest(), git_commit="", now=NOW)
    texts = {"subject": "Neu", "subject_en": "New", "greeting_en": ""}
    wordings.set_wording(both, ISSUE, texts, by="Ada", now=NOW)
    assert wordings.wording_of(both, ISSUE) == wordings.Wording("Neu", None)
    assert wordings.wording_of(both, ISSUE, "en") == wordings.Wording("New", "")
    wordings.set_wording(both, ISSUE, {"subject_en": ""}, by="Ada", now=NOW)
    assert wordings.wording_of(both, ISSUE, "en") == wordings.Wording(None, "")
