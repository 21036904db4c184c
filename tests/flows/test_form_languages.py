"""The form of an issue in two languages has a subject and a greeting for each."""

from __future__ import annotations

from upcycle_news_flows.publish_issue import Decision

from upcycle_news.api.runs import ApprovalForm


def test_the_form_asks_for_the_texts_of_each_language() -> None:
    names = (*Decision.model_fields, "subject_en", "greeting_en")
    form = ApprovalForm(
        labels={name: (f"Titel {name}", f"Beschreibung {name}") for name in names},
        values={"subject": "Hallo", "subject_en": "Hello", "greeting_en": ""},
    )
    made = Decision.of(form)
    assert tuple(made.model_fields) == names
    answer = made(decision="send", subject_en="Good morning")
    assert answer.model_dump()["subject_en"] == "Good morning"
    assert answer.model_dump()["subject"] == "Hallo"
    assert made.model_fields["greeting_en"].title == "Titel greeting_en"


def test_an_issue_in_one_language_has_the_form_that_it_always_had() -> None:
    form = ApprovalForm(
        labels=dict.fromkeys(Decision.model_fields, ("", "")), values={"subject": "Hallo"}
    )
    assert tuple(Decision.of(form).model_fields) == tuple(Decision.model_fields)
