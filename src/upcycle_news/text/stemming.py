"""Content words and their stems (Snowball), for comparing texts by subject."""

from __future__ import annotations

import re
from functools import cache

from upcycle_news.text.sanitize import word_set
from upcycle_news.text.typography import base_language

_WORD = re.compile(r"[^\W\d_]{3,}")
_LANGUAGES = {"de": "german", "en": "english", "fr": "french", "nl": "dutch", "it": "italian"}

# Stop words: function words, and words frequent in all news; lower case, not stemmed.
_STOP = word_set(
    """
    aber alle allein allem allen aller allerdings alles als also alte alten altes andere anderem
    anderen anderer anderes anders auch auf aus außerdem bald bei beide beiden beim bereits
    besonders besser bin bis bisher bist bleiben bleibt brauchen braucht bringen bringt dabei
    dadurch dafür dagegen daher damit danach daneben dann daran darauf darf darin darüber darum
    das dass dasselbe davon davor dazu dein dem den denen denn dennoch der deren derzeit des
    deshalb dessen deswegen deutlich dich die dies diese diesem diesen dieser dieses dir doch
    dort drei dreizehn durch dürfen ebenfalls ebenso eigene eigenen eigentlich ein eine einem
    einen einer eines einfach einige einigen einiges einmal einzelne ende endlich entweder
    entsteht erst erste ersten erstmals etwa etwas euch euer eure fast fehlt finden findet
    folgen fordert fragen fünf für ganz ganze ganzen gar geben gegen gegenüber gehen geht gehört
    gemacht gemeinsam genau genug gerade gern gibt gilt gleich gleichen groß große großen größer
    größte gute guten guter hab habe haben halb hat hatte hatten heißt her heute hier hin hinter
    hoch höher ich ihm ihn ihnen ihr ihre ihrem ihren ihrer ihres immer indem ins insgesamt ist
    jahr jahre jahren jede jedem jeden jeder jedes jedoch jemand jene jenen jetzt junge kam kann
    kaum kein keine keinen keiner klar klein kleine kleinen kommen kommt konnte können könnte
    künftig kurz lang lange langsam lassen lässt laut leicht leider letzte letzten liegt machen
    macht mal man manche manchmal mehr mein meine meist menschen mich mir mit mittel monat
    morgen möglich muss müssen musste nach nachdem nächste nächsten nah nämlich natürlich neben
    nehmen nein neu neue neuem neuen neuer neues nicht nichts nie niemand noch nun nur oben oder
    offenbar oft ohne paar prozent recht rund sagen sagt schnell schon schritt sehen sehr sei
    seien sein seine seinem seinen seiner seit seite selbst setzen sich sicher sie sieht sind
    sogar solche sollen sollte sollten sondern sonst sowie spielt stark statt stehen steht
    stellen stellt tag tage tagen teil tun über überall übrigens uhr und uns unser unsere
    unseren unter viel viele vielen vieles vielleicht vier voll vom von vor vorstellen wann war
    waren warum was weg wegen weil weise weiß weit weiter weitere weiteren welche welcher wem
    wen wenig wenige weniger wenn wer werden wichtig wichtige wie wieder will wird wirklich
    wissen woche wochen wohl wollen worden wurde wurden während zehn zeigen zeigt zeit ziel
    zuerst zugleich zum zunächst zur zurück zusammen zwar zwei zweite zwischen thema themen
    artikel beitrag meldung news bericht frage antwort deutschland deutsche deutschen deutscher
    euro million millionen milliarden januar februar märz april mai juni juli august september
    oktober november dezember montag dienstag mittwoch donnerstag freitag samstag sonntag about
    after all also and any are because been before but can could does for from had has have her
    here his how into its just like made make many may more most much new not now one only other
    our out over own said same she should some such than that the their them then there these
    they this those through time two under use very was way were what when where which while who
    why will with would year years you your
    """
)


@cache
def _stemmer(language: str):  # type: ignore[no-untyped-def]  # PyStemmer carries no types
    import Stemmer  # late: most commands need no stems

    return Stemmer.Stemmer(_LANGUAGES.get(language, "german"))


def has_stemmer(language: str) -> bool:
    """Tell whether there is a stemmer for a language; texts in others get the German one."""
    return base_language(language) in _LANGUAGES


@cache
def stem(word: str, language: str) -> str:
    """Return the stem of a word, in lower case."""
    # A stemmer is not thread-safe, but each decision runs in a single thread.
    return str(_stemmer(base_language(language)).stemWord(word.lower()))


def is_stop_word(word: str) -> bool:
    """Tell whether a word, in lower case, is a stop word."""
    return word in _STOP


def content_words(text: str) -> list[str]:
    """Return the words of a text that are no stop words, as written, repetitions included."""
    return [word for word in _WORD.findall(text) if word.lower() not in _STOP]
