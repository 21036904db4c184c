"""The sign-up form that other sites put on their pages."""

from __future__ import annotations

from upcycle_news.app.context import AppContext
from upcycle_news.errors import UsageError
from upcycle_news.i18n.messages import LANGUAGES, localized
from upcycle_news.rendering import signup_form
from upcycle_news.rendering.template_strings import read_template_strings
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.services.subscribers.mail_templates import complete_mail_templates
from upcycle_news.services.subscribers.subscriptions import consent_wording
from upcycle_news.services.subscribers.topics import digest_interval, topic_labels


def form_for_other_sites(context: AppContext, language: str = "") -> str:
    """Return the form as HTML in a language, default the publication's.

    Raises `UsageError` for a language other than de and en, and without a public address.
    """
    language = language or context.language
    if language not in LANGUAGES:
        raise UsageError(localized("language-unknown", languages=LANGUAGES))
    if not context.settings.publication.public_url:
        raise UsageError(localized("snippet-no-address"))
    templates = complete_mail_templates(publication_templates(context), language)
    return signup_form.signup_form(
        context.publication,
        read_template_strings(templates, language),
        language=language,
        languages=LANGUAGES,
        topics=topic_labels(context, language),
        interval=digest_interval(context),
        wording=consent_wording(context, language),
        days=context.settings.audience.confirm_days,
    )
