"""Mails to a single reader go out of publications that an older version laid out, too."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from upcycle_news.api.publications import bundled_publication
from upcycle_news.errors import TemplateError
from upcycle_news.models import ConfirmationMailKind
from upcycle_news.rendering.render import render_transactional
from upcycle_news.rendering.template_strings import read_template_strings
from upcycle_news.rendering.templates import load_templates
from upcycle_news.services.subscribers.mail_templates import TEMPLATES, complete_mail_templates

from ...rendering.sample_manifest import PUBLICATION

NEW_MAILS = ("list_confirm", "address_confirm", "address_changed")
ROOT = bundled_publication()
LINK = "https://news.upcycle.example/address/x"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A folder of templates from before there were other mails than that of a sign-up, with own words."""
    folder = tmp_path / "templates"
    shutil.copytree(ROOT / "templates", folder)
    for name in NEW_MAILS:
        for path in folder.glob(f"{name}.*"):
            path.unlink()
    for path in folder.glob("texts.*.toml"):
        words = path.read_text(encoding="utf-8")
        words = re.sub(rf"(?m)^({'|'.join(NEW_MAILS)})_.*\n", "", words)
        words = words.replace('confirm_button = "Bestellung bestätigen"', 'confirm_button = "Jo"')
        path.write_text(words + '\n[own]\nhello = "Moin"\n', encoding="utf-8")
    return folder


@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("kind", ConfirmationMailKind)
def test_every_mail_can_be_made_of_an_older_publications_templates(
    older: Path, kind: ConfirmationMailKind, language: str
) -> None:
    mail = render_transactional(
        complete_mail_templates(load_templates(older), language),
        TEMPLATES[kind],
        publication=PUBLICATION,
        language=language,
        values={"link": LINK, "days": 7, "chosen_rhythm": None},
    )
    assert PUBLICATION.name in mail.subject
    assert (LINK in mail.text) == (LINK in mail.html) == (kind is not ConfirmationMailKind.CHANGED)
    button = {"de": "Jo", "en": "Confirm"}[language]
    if kind is ConfirmationMailKind.SIGN_UP:
        assert button in mail.html, "its own words stay"


def test_what_is_there_stays_as_it_is(older: Path) -> None:
    (older / "address_confirm.txt").write_text("Eigenes\n", encoding="utf-8")
    templates = complete_mail_templates(load_templates(older), "de")
    assert templates["address_confirm.txt"] == "Eigenes\n"
    assert read_template_strings(templates, "de").catalogue["confirm_button"] == "Jo"
    assert "own" in read_template_strings(templates, "de").catalogue


def test_a_mistake_in_the_own_words_is_named_at_its_line(older: Path) -> None:
    words = older / "texts.de.toml"
    lines = words.read_text(encoding="utf-8").splitlines()
    words.write_text("\n".join([*lines[:4], "broken = ", *lines[4:]]), encoding="utf-8")
    with pytest.raises(TemplateError, match=r"texts\.de\.toml:5"):
        read_template_strings(complete_mail_templates(load_templates(older), "de"), "de")


def test_a_language_without_own_words_gets_none(older: Path) -> None:
    (older / "texts.en.toml").unlink()
    with pytest.raises(TemplateError, match=r"texts\.en\.toml"):
        read_template_strings(complete_mail_templates(load_templates(older), "en"), "en")


def test_a_complete_publication_keeps_its_templates_byte_for_byte() -> None:
    folder = ROOT / "templates"
    assert complete_mail_templates(load_templates(folder), "de") == load_templates(folder)
