"""The words of the cockpit's pages in the publication's language, and text of strangers in them."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_datetime

_WORDS = {
    "de": {
        "not sent": "Nicht verschickt:",
        "issue": "Ausgabe **{issue}** für **{count}** Leserinnen und Leser: {essays}, {items}, "
        "{size:.0f} kB. Revision `{revision}`. Wartet bis {until} Uhr.",
        "essays": "{count} Essay{s}",
        "items": "{count} Meldung{en}",
        "look": "Ansehen",
        "link ends": "der Link gilt so lange wie die Frage",
        "essay": "Essay",
        "found nothing": "Die Prüfung hat nichts zu beanstanden.",
        "found": "Die Prüfung sagt:",
        "decide": "**Entscheiden:** *send* verschicken · *send test again* noch eine Testmail · "
        "*leave items out* ohne diese Meldungen (Nummern eintragen) · *reject* nicht verschicken. "
        "Ändert sich der Inhalt nach dieser Vorschau, wird es bemerkt und noch einmal gefragt.",
        "since question": "Seit der letzten Frage:",
        "since issue": "Seit Ausgabe {issue}:",
        "since revision": "Seit Revision `{revision}` dieser Ausgabe:",
        "new": "neu",
        "dropped": "nicht mehr dabei",
        "changed": "geändert",
        "order": "die Essays stehen in anderer Reihenfolge",
        "feeds now": "Feeds, die jetzt dabei sind und damals nicht",
        "feeds then": "Feeds, die damals dabei waren und jetzt nicht",
        "templates": "geänderte Vorlagen",
        "settings": "geänderte Einstellungen",
        "pictures": "Bilder",
        "picture new": "neu",
        "picture dropped": "fehlt",
        "picture changed": "geändert",
    },
    "en": {
        "not sent": "Not sent:",
        "issue": "Issue **{issue}** for **{count}** readers: {essays}, {items}, {size:.0f} kB. "
        "Revision `{revision}`. Waits until {until}.",
        "essays": "{count} essay{s}",
        "items": "{count} feed item{s}",
        "look": "Look at it",
        "link ends": "the link ends with the question",
        "essay": "essay",
        "found nothing": "Preflight found nothing to complain about.",
        "found": "Preflight:",
        "decide": "**Decide:** *send* · *send test again* · *leave items out* (write their numbers) "
        "· *reject*. A change of the content after this preview is noticed and asked about again.",
        "since question": "Since the last question:",
        "since issue": "Since issue {issue}:",
        "since revision": "Since revision `{revision}` of this issue:",
        "new": "new",
        "dropped": "dropped",
        "changed": "changed",
        "order": "the essays are in another order",
        "feeds now": "feeds in it now and not then",
        "feeds then": "feeds in it then and not now",
        "templates": "changed templates",
        "settings": "changed settings",
        "pictures": "pictures",
        "picture new": "new",
        "picture dropped": "dropped",
        "picture changed": "changed",
    },
}
_MOMENT = {"de": "EEEE, d. MMMM, HH:mm", "en": "EEEE, d MMMM, HH:mm"}


class Words:
    """What our own people read, in one language: of the publication, where there are words for it."""

    def __init__(self, language: str) -> None:
        """`language` as in the settings; English where there are no words for it."""
        self.language = language if language in _WORDS else "en"

    def __call__(self, name: str, **values: object) -> str:
        """The words of this name with these values in them."""
        return _WORDS[self.language][name].format(**values)

    def count(self, name: str, number: int) -> str:
        """So many of them."""
        many = number != 1
        return self(name, count=number, s="s" * many, en="en" * many)

    def moment(self, local: datetime) -> str:
        """A time of a local clock, such as Samstag, 28. November, 07:00."""
        told: str = format_datetime(local, _MOMENT[self.language], locale=self.language)
        return told


def md(text: str) -> str:
    """Text of strangers as text: no markup of theirs in our pages."""
    plain = " ".join(text.split())
    for char in "\\`*_[]<>#|":
        plain = plain.replace(char, f"\\{char}")
    return plain
