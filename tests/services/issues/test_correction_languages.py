"""A correction by mail of an issue in two languages: each reader is told in theirs."""

from __future__ import annotations

from upcycle_news.models import IssueId
from upcycle_news.services.archive import corrections
from upcycle_news.services.issues.correction import correction_id

from ...publications import Publication, parse_mail, send_issue
from ...two_languages import ENGLISH, add_readers, make_bilingual, write_translated


def test_readers_are_told_of_a_correction_in_their_language(publication: Publication) -> None:
    make_bilingual(publication)
    write_translated(publication)
    add_readers(publication)
    context = publication.context()
    send_issue(context)
    german, _ = write_translated(publication, ENGLISH.replace("for ever", "for years"))
    german.write_text(german.read_text("utf-8").replace("für immer", "lange"), "utf-8")
    corrections.correct(
        context,
        "schraube",
        "Der Leim hält nicht ewig.",
        by="Ada",
        notes={"en": "Glue does not hold for ever."},
    )
    page = (context.archive_folder / "en/essays/schraube/index.html").read_text("utf-8")
    assert "Glue does not hold for ever." in page
    sent = send_issue(context, str(correction_id(context, IssueId.parse("2026-11-26"))))
    assert sent.sent == 4
    mails = {
        mail["To"].addresses[0].username: mail for mail in map(parse_mail, publication.mails()[4:])
    }
    german_mail, english_mail = mails["anna"], mails["carol"]
    assert "Lob der Schraube" in german_mail["Subject"]
    assert "In Praise of the Screw" in english_mail["Subject"]
    text = english_mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Glue does not hold for ever." in text
    assert "holds for years" in text
    assert "Leim" not in text
