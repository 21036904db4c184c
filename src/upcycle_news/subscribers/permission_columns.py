"""What a column of another system's list says about permission to write to somebody. Pure.

Its name decides whether it speaks of that at all; values alone never do (``Mitglied;nein`` says nothing
of mail). A name that is clear is read: ``Newsletter;nein`` and ``opt_out;ja`` skip the person,
``opt_out;nein`` does not. A name that may speak of it is not read, but a value in it that may be a no
refuses the list until a person has looked (GDPR, article 7: whoever sends has to prove consent).
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache

from upcycle_news.subscribers.list_words import visible, words_of


class Sense(Enum):
    """What a column's name says: those from `MAY_WANT` on are not read, but asked about."""

    SILENT = auto()
    STATUS = auto()
    """A word for each person, such as *active*; what is not known as a yes is none."""
    WANTS = auto()
    """A yes means that the person wants the mail."""
    LEFT = auto()
    """A yes, a time, a reason or a count means that the person gets no mail."""
    MAY_WANT = auto()
    MAY_HAVE_LEFT = auto()
    EITHER = auto()
    HARDLY = auto()
    """It tells how somebody subscribed (``subscriber_type``) or where they live (``state``), and is one
    only with a word such as *unsubscribed*."""


class Answer(Enum):
    """What a cell says."""

    BLANK = auto()
    YES = auto()
    NO = auto()
    ENDED = auto()
    """*unsubscribed*, *gesperrt*, *bounced*: no mail, whatever the column is called."""
    TIME = auto()
    NUMBER = auto()
    """Another one than 0 and 1."""
    UNDECIDED = auto()
    """"Perhaps", "unknown", "not yet"."""
    OTHER = auto()


_STATUS = re.compile(
    r"status|(subscription|subscriber|email|mail|newsletter|list|global|contact|abo|abonnement"
    r"|abonnenten|empfaenger|kontakt|anmelde|zustell|delivery) ?status|email marketing( consent)? status"
)
# A country's part as well as a status, or whose status it is stands in the name only.
_PERHAPS_STATUS = re.compile(r"state|zustand|status \w.*")
# Names of known exports that sound as if they spoke of mail, and do not: a paid plan, the time of a proof.
_SILENT = frozenset(
    {
        "active subscription", "complimentary plan", "subscription type", "cancel date",
        "optin time", "confirm time",
    }
)  # fmt: skip
# Another matter than permission to mail, whatever else the name says.
_OTHER_MATTER = re.compile(
    r"urls?\b|links?\b|frist\b|\b(token|hash|code|key|uuid|id|score|rate|rating|points|punkte|days"
    r"|tage|mo|opened|opens?|clicked|clicks?|geoeffnet|geklickt|updated|modified|changed|geaendert"
    r"|stripe|paid|plan|tiers?|zahlung|payment|beitrag|rechnung\w*|passwort|password|login)\b|\d+d\b"
)
# Another one unless the name speaks of mail as well.
_OTHER_CHANNEL = re.compile(
    r"\b(sms|whatsapp|telefon\w*|phone|tel|fax|mobil\w*|push|post|postalisch|brief|print|facebook"
    r"|instagram|anruf|call|mitglied\w*|members?|membership)\b"
)
_MAIL = re.compile(r"mail|newsletter|rundbrief")
# In which form somebody subscribed: no answer to whether they did.
_CIRCUMSTANCE = re.compile(
    r"\b(ip|nr|nummer|number|page|seite|version|sprache|language|format|html|typ|type|sent|gesendet"
    r"|delivered|received|anzahl|count|campaign|kampagne)\b"
)
# It may be one: where a consent came from is a text, and may be a no.
_PERHAPS_CIRCUMSTANCE = re.compile(
    r"\b(quelle|source|herkunft|form\w*|text|wortlaut|name|title|titel|thema|themen|by|von|durch)\b"
)
_ENDS = re.compile(
    r"\b(bis|ende|abo(nnements)?ende|end|endet|until|ends|expire[sd]?|abgelaufen|ablauf)\b"
)
_LEFT = re.compile(
    r"unsub|optout|abgemeldet|abmeld|abbestell|ausgetragen|austrag|blacklist|blocklist|denylist"
    r"|\bblock(ed|iert)?\b|\bblocked|\bgeblockt\b|\bbanned|sperr|deaktiv|deactiv|disabl|inaktiv|inactiv|\bdnc\b"
    r"|bounc|ruecklae?uf|retoure|unzustellbar|undeliver|reject|complain|beschwer|\babuse|\bspam\b"
    r"|suppress|exclu|ausgeschlossen|ausschluss|delet|geloescht|\bloesch|trash|papierkorb|\bremoved"
    r"|entfernt|\bclean(ed| time| campaign)|widerruf|widersp?roch|widerspruch|revok|withdraw"
    r"|verweiger|abgelehnt|declin|refus|\binvalid|ungueltig|unreachable|unerreichbar|robinson"
    r"|unconfirmed|unbestaetigt|unverif|\bpending|ausstehend|archived"
)
_WANTS = re.compile(
    r"newsletter|rundbrief|infobrief|rundmail|rundschreiben|verteiler|mailing ?list|subscri|abonn"
    r"|\babos?\b|optin|\bdoi\b|consent|einwillig|zustimm|zugestimmt|einverst|permission|confirm"
    r"|bestaetig|\bactiv(e|ated)\b|\baktiv\b|aktiviert|enabl|verif|zustellbar|deliverab|email marketing"
)
# Of these an empty cell beside a time means that the step was never taken.
_PROOF = re.compile(
    r"optin|\bdoi\b|consent|einwillig|zustimm|zugestimmt|einverst|confirm|bestaetig|\bactivated"
    r"|aktivier|verif"
)
_MAY_WANT = re.compile(
    r"moechte|erwuenscht|gewuenscht|erlaub|\bdarf|marketing|werbung|werbe|dsgvo|gdpr|datenschutz|accept"
    r"|\bagree|\ballow|receive|erhalten|\bangemeldet|\beingetragen|zusend|zuschick|benachricht|notif|mail"
    r"|infopost|informiert|\binformed\b|\bsend me\b|^(ist |is )?(gueltig|valid)$|adresse gueltig"
)
_MAY_HAVE_LEFT = re.compile(
    r"kuendig|gekuendigt|austritt|ausgetreten|\bcancel|storn|ausgeschieden|verstorben|deceased|\bdead\b"
    r"|\bexit\b|beendet|\bended\b|\bleft\b|\bchurn|paus(iert|ed?)\b|\bon hold\b|mail ?(fehler|error)"
    r"|\bfail(ed|ure)|\bstopp\b|(mail|versand|werbe|newsletter|info|sende) ?stopp?\b|\braus\b|\btote?\b"
)
_NEGATION = re.compile(r"\b(kein(e[nmrs]?)?|nicht|not|non|no|never|nie)\b")
_NEGATED = re.compile(_NEGATION.pattern + r" ((yet|noch|mehr|wieder) )?\w*$")
_CONTACT = re.compile(r"mail|kontakt|contact|anschreib|werb|\binfos?\b")

_NO_WORD = re.compile(
    r"\b(abgemeldet|ausgetragen|abbestellt|unsubscribed?|optout|blacklisted?|blocklisted?|blocked"
    r"|gesperrt|inaktiv|inactive|deaktiviert|deactivated|disabled|bounced?|cleaned|unconfirmed"
    r"|unbestaetigt|geloescht|deleted|widerrufen|widersprochen|revoked|withdrawn|declined|denied"
    r"|abgelehnt|verweigert|gekuendigt|unzustellbar|undeliverable|unreachable|complained|complaint"
    r"|spam|suppressed|excluded|ausgeschlossen|ungueltig|invalid|archived|removed|entfernt|abused"
    r"|unverified|unactivated|junk|non subscribed|nonsubscribed|fehlt|fehlend|missing|zurueckgezogen|zurueckgenommen"
    r"|abgelaufen|expired|storniert|cancell?ed|ausgetreten|beendet|gestoppt|stopped|verstorben)\b"
)
_UNDECIDED_WORD = re.compile(
    r"\b(vielleicht|maybe|perhaps|unklar|unbekannt|unknown|undecided|pending|ausstehend|offen|spaeter"
    r"|later|fragen|pausiert|paused|not set|never subscribed|transactional)\b"
)
_YES_FIRST = re.compile(r"(ja|j|yes|y|true|wahr|x|ok|okay|on|an|gern|gerne)\b")
_YES_WORD = re.compile(
    r"\b(aktiv|active|activated|aktiviert|subscribed|abonniert|angemeldet|eingetragen|confirmed"
    r"|bestaetigt|optin|enabled|erlaubt|erwuenscht|gewuenscht|zugestimmt|einverstanden|granted|given"
    r"|allowed|accepted|agreed|valid|verified)\b"
)
_NO_EXACT = frozenset(
    {"nein", "n", "no", "false", "falsch", "off", "aus", "null", "none", "na", "nan"}
)
_NO_SIGNS = frozenset({"-", "–", "—", "--", "./.", "✗", "✘", "❌", "☐", "\\n", "n/a", "#n/a"})
_YES_SIGNS = frozenset({"✓", "✔", "✅", "☑", "☒", "+"})
# Before anybody had a newsletter: what databases write where there is no time.
_NO_TIME = re.compile(r"(0000-00-00|0001-01-01|1970-01-01|00[./]00[./]0000)")
_TIME = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./]\s?\d{1,2}[./]\s?(\d{2}){1,2}\b")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
_YEARS = range(1990, 2100)
_UNIX_TIME = 100_000_000
"""From here on a number is a time in seconds (March 1973)."""


def sense_of(name: str) -> Sense:
    """Return what a column with this name says about permission."""
    words = words_of(name)
    if _STATUS.fullmatch(words):
        return Sense.STATUS
    if words in _SILENT or _OTHER_MATTER.search(words):
        return Sense.SILENT
    if _OTHER_CHANNEL.search(words) and not _MAIL.search(words):
        return Sense.SILENT
    negated = len(_NEGATION.findall(words)) % 2 == 1
    left = _LEFT.search(words)
    if left and "optin" in words.split() and "optout" in words.split():
        return Sense.EITHER
    if left:
        return Sense.EITHER if _NEGATED.search(words[: left.start()]) else Sense.LEFT
    if negated and (_WANTS.search(words) or _MAY_WANT.search(words) or _CONTACT.search(words)):
        return Sense.LEFT
    wants = _WANTS.search(words)
    if _MAY_HAVE_LEFT.search(words) or (wants and _ENDS.search(words)):
        return Sense.MAY_HAVE_LEFT
    if _CIRCUMSTANCE.search(words):
        return Sense.HARDLY if wants or _PERHAPS_STATUS.fullmatch(words) else Sense.SILENT
    if wants and not _PERHAPS_CIRCUMSTANCE.search(words):
        return Sense.WANTS
    if wants or _MAY_WANT.search(words):
        return Sense.MAY_WANT
    return Sense.HARDLY if _PERHAPS_STATUS.fullmatch(words) else Sense.SILENT


def proves_consent(name: str) -> bool:
    """Return True if the column tells when a step of the consent was taken."""
    return _PROOF.search(words_of(name)) is not None


@lru_cache(maxsize=8192)
def answer_of(value: str) -> Answer:
    """Return what a cell says."""
    written = visible(value).lower()
    words = words_of(value)
    if not written:
        return Answer.BLANK
    if written in _YES_SIGNS:
        return Answer.YES
    if written in _NO_SIGNS or words in _NO_EXACT or _NO_TIME.match(written):
        return Answer.NO
    if _NUMBER.fullmatch(written):
        return _answer_of_number(float(written.replace(",", ".")))
    if _TIME.match(written):
        return Answer.TIME
    if "?" in written or _UNDECIDED_WORD.search(words):
        return Answer.UNDECIDED
    if _NO_WORD.search(words):
        return Answer.ENDED
    if yes := _YES_FIRST.match(words):
        return Answer.NO if _NEGATION.match(words, yes.end() + 1) else Answer.YES
    if words.split(" ")[0] in _NO_EXACT or _NEGATION.search(words):
        return Answer.NO
    return Answer.YES if _YES_WORD.search(words) else Answer.OTHER


def _answer_of_number(number: float) -> Answer:
    if number == 0:
        return Answer.NO
    if number == 1:
        return Answer.YES
    return Answer.TIME if number in _YEARS or number >= _UNIX_TIME else Answer.NUMBER


def may_say_no(sense: Sense, answer: Answer) -> bool:
    """Return True if a cell of a column that is not read may mean that the person wants no mail."""
    if sense is Sense.MAY_WANT:
        return answer in (Answer.NO, Answer.ENDED, Answer.UNDECIDED)
    if sense is Sense.MAY_HAVE_LEFT:
        return answer not in (Answer.NO, Answer.BLANK)
    if sense is Sense.EITHER:
        return answer not in (Answer.BLANK, Answer.NUMBER, Answer.OTHER)
    return sense is Sense.HARDLY and answer is Answer.ENDED


def empty_means_no(name: str, answers: frozenset[Answer]) -> bool:
    """Return True if an empty cell of a column that says who wants mail is no yes.

    `answers` is what all its cells say. Beside crosses or names of newsletters an empty cell stands
    for none; beside times it does where the column proves a step of the consent. Where a list notes
    only who said no, it says nothing.
    """
    if Answer.YES in answers or Answer.OTHER in answers:
        return True
    return Answer.TIME in answers and proves_consent(name)


def wants_mail(answer: Answer, answers: frozenset[Answer], *, empty_is_no: bool) -> bool:
    """Return True if a cell of a column that says who wants mail does not speak against it.

    A label (``Umbaupost`` below ``Newsletter``) is a yes unless others of the column say yes in words.
    """
    if answer is Answer.BLANK:
        return not empty_is_no
    if answer is Answer.OTHER:
        return Answer.YES not in answers
    return answer in (Answer.YES, Answer.TIME)
