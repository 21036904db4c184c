"""One issue in two languages: who gets which, what a missing translation does, and what voids an approval."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from upcycle_news.errors import IssueError
from upcycle_news.models import IssueId
from upcycle_news.services.checks.run import check_everything
from upcycle_news.services.issues import approval, compose
from upcycle_news.services.issues.render import render_revision
from upcycle_news.storage import issues, wordings

from ...publications import Publication, parse_mail, send_issue
from ...two_languages import ENGLISH, SETTINGS, add_readers, make_bilingual, write_translated

ISSUE = IssueId.parse("2026-11-26")


@pytest.fixture
def bilingual(publication: Publication) -> Publication:
    """A publication in two languages with a translated essay and readers of both."""
    make_bilingual(publication)
    write_translated(publication)
    add_readers(publication)
    return publication


def by_reader(publication: Publication) -> dict[str, EmailMessage]:
    mails = [parse_mail(mail) for mail in publication.mails()]
    return {mail["To"].addresses[0].username: mail for mail in mails}


def part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content())


def found(publication: Publication) -> dict[str, str]:
    """The level of each finding about the issue, by its code and place."""
    context = publication.context()
    rendered = render_revision(context, compose.compose_issue(context, ISSUE))
    return {f"{one.code} {one.where}": one.level for one in rendered.findings}


def test_each_reader_gets_the_issue_in_their_language(bilingual: Publication) -> None:
    assert send_issue(bilingual.context()).sent == 4
    mails = by_reader(bilingual)
    assert {name: mail["Subject"] for name, mail in mails.items()} == {
        "anna": "Lob der Schraube",
        "bert": "Lob der Schraube",
        "carol": "In Praise of the Screw",
        "delphine": "Lob der Schraube",  # nobody offers her language
    }
    german, english = part(mails["anna"], "html"), part(mails["carol"], "html")
    assert 'lang="de"' in german
    assert "„kann“" in german
    assert "Donnerstag, 26." in german
    assert 'lang="en"' in english
    assert "“undo”" in english
    assert "Thursday" in english
    assert "Conversion Post" in english
    assert "Write to us." in english
    assert "Umbaupost" not in english.replace("umbaupost.example.net", "")
    assert mails["carol"]["Content-Language"] == "en"
    text = part(mails["carol"], "plain")
    assert "https://umbaupost.example.net/en/archive/2026-11-26/" in text
    assert "12345 Musterstadt, Germany" in text


def test_the_german_mail_is_the_same_whether_there_is_a_translation(
    bilingual: Publication,
) -> None:
    context = bilingual.context()
    german, english = (bilingual.home / "content/essays").glob("*.md")
    both = render_revision(context, compose.compose_issue(context, ISSUE)).content
    (german if german.name.endswith(".en.md") else english).unlink()
    alone = render_revision(context, compose.compose_issue(context, ISSUE)).content
    assert (both.html, both.text) == (alone.html, alone.text)


def test_an_essay_without_a_translation_is_shown_as_it_is_and_reported(
    bilingual: Publication,
) -> None:
    bilingual.write_essay("Schule")
    assert (
        found(bilingual)["translation-missing content/essays/2024-05-02-schule.md:1"] == "warning"
    )
    send_issue(bilingual.context())
    english = part(by_reader(bilingual)["carol"], "html")
    assert "Schule" in english
    assert 'lang="de"' in english  # the essay, in a mail in English
    assert "https://umbaupost.example.net/essays/schule/" in english


def test_with_leave_out_a_reader_gets_the_translated_essays_only(bilingual: Publication) -> None:
    bilingual.change_setting(
        "[languages.en]", '[issue]\nuntranslated = "leave_out"\n[languages.en]'
    )
    bilingual.write_essay("Schule")
    send_issue(bilingual.context())
    mails = by_reader(bilingual)
    assert "Schule" in part(mails["anna"], "html")
    assert "Schule" not in part(mails["carol"], "html")


def test_who_has_no_essay_in_their_language_is_not_queued(publication: Publication) -> None:
    make_bilingual(publication)
    publication.change_setting(
        "[languages.en]", '[issue]\nuntranslated = "leave_out"\n[languages.en]'
    )
    publication.write_essay("Schule")
    add_readers(publication)
    assert "language-without-issue newsletter.toml" in found(publication)
    status = send_issue(publication.context())
    assert (status.audience, status.sent) == (3, 3)
    assert set(by_reader(publication)) == {"anna", "bert", "delphine"}
    shown = publication.run("issue", "status", "2026-11-26", "--json").json
    assert shown["without_issue"] == {"en": 1}
    assert " en" in publication.run("issue", "status", "2026-11-26").out.splitlines()[1]


def test_an_essay_in_english_alone_goes_to_readers_of_english_alone(
    publication: Publication,
) -> None:
    make_bilingual(publication)
    publication.change_setting(
        "[languages.en]", '[issue]\nuntranslated = "leave_out"\n[languages.en]'
    )
    publication.write_essay("School", language="en")
    add_readers(publication)
    status = send_issue(publication.context())
    assert status.sent == 2
    # Who chose no language of ours gets what there is.
    assert set(by_reader(publication)) == {"carol", "delphine"}


def test_with_refuse_a_missing_translation_is_an_error(bilingual: Publication) -> None:
    bilingual.change_setting("[languages.en]", '[issue]\nuntranslated = "refuse"\n[languages.en]')
    assert "error" not in found(bilingual).values()
    bilingual.write_essay("Schule")
    assert found(bilingual)["translation-missing content/essays/2024-05-02-schule.md:1"] == "error"


def test_a_translation_that_is_a_draft_counts_as_none(bilingual: Publication) -> None:
    write_translated(bilingual, ENGLISH.replace("---\n\n", "status: draft\n---\n\n"))
    context = bilingual.context()
    codes = {finding.code for finding in check_everything(context, ISSUE)}
    assert {"translation-status", "translation-missing"} <= codes
    send_issue(context)
    assert by_reader(bilingual)["carol"]["Subject"] == "Lob der Schraube"


def test_a_changed_translation_voids_the_approval(bilingual: Publication) -> None:
    context = bilingual.context()
    revision = compose.compose_issue(context, ISSUE)
    rendered = render_revision(context, revision)
    assert compose.edits_since(context, revision) == ()
    write_translated(bilingual, ENGLISH.replace("for ever", "for good"))
    assert compose.edits_since(context, revision) == ("essay schraube (en)",)
    with pytest.raises(IssueError):
        approval.approve(context, rendered, by="test")


def test_the_words_of_an_issue_have_a_file_for_each_language(bilingual: Publication) -> None:
    folder = bilingual.home / "content/issues"
    folder.mkdir(exist_ok=True)
    (folder / "2026-11-26.md").write_text(
        "---\nsubject: Zum Wochenende\nfeeds_title: Andere\n---\n\nGuten Tag.\n", "utf-8"
    )
    assert "issue-file-untranslated content/issues/2026-11-26.md:1" in found(bilingual)
    (folder / "2026-11-26.en.md").write_text(
        "---\nsubject: For the weekend\nfeeds_title: Others\n---\n\nGood morning.\n", "utf-8"
    )
    assert "issue-file-untranslated content/issues/2026-11-26.md:1" not in found(bilingual)
    send_issue(bilingual.context())
    mails = by_reader(bilingual)
    assert mails["anna"]["Subject"] == "Zum Wochenende"
    assert mails["carol"]["Subject"] == "For the weekend"
    assert "Good morning." in part(mails["carol"], "plain")
    assert "Guten Tag." not in part(mails["carol"], "plain")


def test_what_holds_for_all_languages_is_not_said_in_a_translation(bilingual: Publication) -> None:
    folder = bilingual.home / "content/issues"
    folder.mkdir(exist_ok=True)
    (folder / "2026-11-26.en.md").write_text(
        "---\nessays: [schraube]\n---\n\nGood morning.\n", "utf-8"
    )
    findings = {one.where: str(one.text) for one in check_everything(bilingual.context(), ISSUE)}
    assert "2026-11-26.md" in findings["content/issues/2026-11-26.en.md:2"]


def test_the_form_words_an_issue_in_each_language(bilingual: Publication) -> None:
    context = bilingual.context()
    compose.compose_issue(context, ISSUE)
    texts = {"subject": "Neu", "subject_en": "New", "greeting_en": "Hello."}
    wordings.set_wording(context.store, ISSUE, texts, by="Ada", now=context.clock())
    issue = compose.compose_issue(context, ISSUE).manifest.issue
    (english,) = issue.translations
    assert (issue.subject, issue.greeting) == ("Neu", "")
    assert (english.subject, english.greeting) == ("New", "Hello.")


def test_without_another_language_a_translation_is_of_no_use_and_said_to_be(
    publication: Publication,
) -> None:
    write_translated(publication)
    publication.add_many_subscribers(1)
    context = publication.context()
    codes = {finding.code for finding in check_everything(context, ISSUE)}
    assert "translation-unused" in codes
    assert "translation-missing" not in codes
    assert send_issue(context).sent == 1


def test_an_essay_counts_as_told_in_all_its_languages(bilingual: Publication) -> None:
    context = bilingual.context()
    send_issue(context)
    assert issues.published_essays(context.store, ["schraube"]) == {"schraube"}


def test_topics_without_a_label_and_unknown_ones_are_named(bilingual: Publication) -> None:
    bilingual.change_setting('en = "Building"\n', "")
    bilingual.write_essay("Schule", topics="[Baun]")
    (bilingual.home / "content/feeds.toml").write_text(
        '[[feeds]]\nname = "A"\nurl = "https://a.example.org/feed"\ntopics = ["Garten"]\n', "utf-8"
    )
    findings = {
        one.where: str(one.text)
        for one in check_everything(bilingual.context(), ISSUE)
        if one.code in ("topic-unknown", "topic-label")
    }
    assert "bauen" in findings["content/essays/2024-05-02-schule.md:5"]
    assert "Garten" in findings["content/feeds.toml:4"]
    line = 1 + (bilingual.home / "newsletter.toml").read_text().splitlines().index("[topics.bauen]")
    assert "en" in findings[f"newsletter.toml:{line}"]


def test_settings_of_a_language_that_nobody_knows_are_refused(publication: Publication) -> None:
    make_bilingual(publication, SETTINGS.replace("languages.en", "languages.fr"))
    result = publication.run("check", code=1)
    assert "newsletter.toml" in result.output


def test_the_words_of_the_own_language_are_not_said_twice(publication: Publication) -> None:
    make_bilingual(publication, SETTINGS.replace("languages.en", "languages.de"))
    refused = publication.run("check", code=1)
    assert "[publication]" in refused.output
