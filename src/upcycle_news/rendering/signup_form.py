"""The sign-up form for other sites: plain HTML that works without any script, and with ours stays on the page."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from markupsafe import Markup, escape

from upcycle_news.models import Publication
from upcycle_news.models.digest import DigestInterval, Rhythm
from upcycle_news.rendering.template_strings import TemplateStrings

SCRIPT = "signup.js"
"""The script's path below the public address."""


def signup_form(
    publication: Publication,
    strings: TemplateStrings,
    *,
    language: str,
    languages: Collection[str],
    topics: Mapping[str, str],
    interval: DigestInterval | None = None,
    wording: str,
    days: int,
) -> str:
    """Return the form as HTML; the publication needs a public address.

    `topics` are labels by the topics' names, `interval` is that of the digest that readers may choose, `wording` the version of the consent that it shows, `days` how
    long a confirmation is waited for. It brings no style: it takes that of its page.
    """
    values = {
        "action": f"{publication.public_url}/subscribe",
        "done": f"{strings('page_asked_text')} {strings('page_asked_spam', days=days)}",
        "busy": strings("page_asked_busy", minutes="{minutes}"),
        "wrong": strings("page_bad_address"),
        "later": strings("page_too_many_text"),
        "language": language,
        "wording": wording,
        "script": f"{publication.public_url}/{SCRIPT}",
        "email": strings("page_email"),
        "trap": strings("page_trap"),
        "consent": strings("page_consent", publication=publication.name),
        "button": strings("page_subscribe_button"),
    }
    escaped: dict[str, str] = {**_escaped(values), "privacy": _privacy(publication, strings)}
    head, rest = (part.format_map(escaped) for part in (_HEAD, _REST))
    parts = (
        head,
        _topics(strings, topics),
        _rhythms(strings, interval),
        _languages(strings, language, languages),
        rest,
    )
    return "".join(parts)


_HEAD = """\
<form method="post" action="{action}" lang="{language}" data-upcycle-news data-done="{done}" data-busy="{busy}" \
data-wrong="{wrong}" data-later="{later}">
<input type="hidden" name="wording" value="{wording}">
<p><label>{email}<br><input name="email" type="email" autocomplete="email" required maxlength="254"></label></p>
<p hidden><label>{trap} <input name="website" tabindex="-1" autocomplete="off"></label></p>
"""
_REST = """\
<p><small>{consent}{privacy}</small></p>
<p><button type="submit">{button}</button></p>
<p role="status" data-upcycle-news-status></p>
</form>
<script src="{script}" defer></script>
"""


def _topics(strings: TemplateStrings, topics: Mapping[str, str]) -> str:
    """Return a box for each topic; the hidden one says that the form asked, even if none is ticked."""
    if not topics:
        return ""
    boxes = "".join(
        f'<label><input type="checkbox" name="topic" value="{escape(name)}"> {escape(label)}</label><br>\n'
        for name, label in topics.items()
    )
    return (
        f"<fieldset>\n<legend>{escape(strings('page_topics'))}</legend>\n"
        f'<input type="hidden" name="topic" value="">\n{boxes}'
        f"<small>{escape(strings('page_topics_hint'))}</small>\n</fieldset>\n"
    )


def _rhythms(strings: TemplateStrings, interval: DigestInterval | None) -> str:
    if interval is None:
        return ""
    names = {
        Rhythm.EVERY_ISSUE: "page_rhythm_every_issue",
        Rhythm.DIGEST: f"page_rhythm_{interval}",
    }
    checked = {Rhythm.EVERY_ISSUE: " checked"}
    buttons = "".join(
        f'<label><input type="radio" name="rhythm" value="{one}"{checked.get(one, "")}> '
        f"{escape(strings(name))}</label><br>\n"
        for one, name in names.items()
    )
    return (
        f"<fieldset>\n<legend>{escape(strings('page_rhythm'))}</legend>\n{buttons}"
        f"<small>{escape(strings('page_rhythm_hint'))}</small>\n</fieldset>\n"
    )


def _languages(strings: TemplateStrings, language: str, languages: Collection[str]) -> str:
    chosen = {language: " checked"}
    buttons = "".join(
        f'<label><input type="radio" name="language" value="{one}"{chosen.get(one, "")}> '
        f"{escape(strings(f'language_{one}'))}</label><br>\n"
        for one in languages
    )
    return (
        f"<fieldset>\n<legend>{escape(strings('page_signup_language'))}</legend>\n{buttons}"
        "</fieldset>\n"
    )


def _privacy(publication: Publication, strings: TemplateStrings) -> str:
    if not publication.privacy_url:
        return ""
    return f' <a href="{escape(publication.privacy_url)}">{escape(strings("privacy"))}</a>'


def _escaped(values: Mapping[str, str]) -> dict[str, Markup]:
    return {name: escape(value) for name, value in values.items()}
