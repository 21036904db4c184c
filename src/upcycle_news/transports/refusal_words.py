"""The topics that the words of a refusal mention, in the languages of relays. Pure.

Words are compared without case, accents, addresses, host names and links: a mailbox called
``quota@`` or a server called ``spamfilter.example`` mentions nothing.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


class Topic(StrEnum):
    """A topic of a refusal; one reply may mention several."""

    RECIPIENT = "no such recipient"
    FULL = "mailbox full"
    SUSPENDED = "mailbox disabled"
    RECIPIENT_RULES = "the recipient's own rules"
    LIMIT = "a limit in time or number"
    SIZE = "message too large"
    BLOCKED = "the sender's address, DNS, authentication or reputation"
    DENIED = "denied, no reason given"
    LATER = "temporary, or a server failure"
    TO_SENDER = "addresses the sender, or gives a reason"


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in alternatives))


_PERSON = (
    r"(?:user(?:name|id|s|\(s\))?|mailbox(?:es)?|mail[- ]?(?:box|account|address|drop)|recipients?|account"
    r"|(?:e-?mail )?address(?:ee)?|alias|inbox|customer|subscriber|person|local[- ]part"
    r"|empfanger(?:adresse)?|benutzer(?:name|konto)?|postfach|adress[eat]|mailadresse|konto|briefkasten|teilnehmer"
    r"|utilisateur|destinataire|boite(?: aux lettres| mail)?|compte"
    r"|usuario|buzon|destinatario|cuenta|direccion|utente|casella|indirizzo"
    r"|gebruiker|postbus|postvak|ontvanger|e-?mailadres|utilizador|caixa(?: postal| de correio)?|endereco|conta"
    r"|uzytkownik|adresat|skrzynka|uzivatel|schranka|anvandare|mottagare|bruger|modtager|kayttaja|vastaanottaja"
    r"|polzovatel|пользовател\w*|получател\w*|почтов\w+ ящик\w*|адрес\w*|ユーサ\w*|宛先\w*|用户|邮箱|收件人)"
)
_NOT_THE_SENDERS = (
    r"(?<!your )(?<!our )(?<!sender )(?<!sender's )(?<!sending )(?<!sasl )(?<!smtp )(?<!relay )"
    r"(?<!ihr )(?<!ihre )(?<!votre )(?<!su )(?<!vostro )(?<!uw )(?<!absender)(?<!senders )"
    r"(?<!ip )(?<!client )(?<!source )"
)
"""Rules out an account or an address that is the sender's, not the recipient's."""
_ABSENT = (
    r"(?:unknown|not (?:be )?(?:found|known|exist(?:s|ing|ent)?|listed|registered|valid|here|local)"
    r"|does ?n[o']t exist|do(?:es)? not exist|n't exist|non-?existent|invalid|no longer (?:\w+ ){0,2}(?:valid|exists?|on|available|in use|active|here)"
    r"|could ?n[o']t be found|is not (?:a|an) \w+(?: \w+)? (?:user|customer|mailbox|recipient|address)|nonexistent|has moved|undefined"
    r"|unbekannt|nicht (?:bekannt|gefunden|vorhanden|vergeben)|existiert (?:hier )?nicht|gibt es (?:hier )?nicht|ungultig"
    r"|inconnue?|n['’ ]existe (?:pas|plus)|introuvable|invalide"
    r"|desconocid[oa]|no existe|no (?:ha sido )?encontrad[oa]|inexistente"
    r"|sconosciut[oa]|non (?:esiste|trovat[oa]|valid[oa])"
    r"|onbekend|bestaat (?:hier )?niet|niet gevonden|desconhecid[oa]|nao (?:existe|encontrad[oa])"
    r"|nie istnieje|nieznany|neexistuje|neznamy|okand|finnes ikke|findes ikke|finns inte|ukendt|ukjent|tuntematon"
    r"|не (?:существует|найден\w*)|неизвест\w+|存在しま|不存在)"
)

_TABLE: tuple[tuple[Topic, re.Pattern[str]], ...] = (
    (
        Topic.RECIPIENT,
        _any(
            rf"\bno such (?:{_PERSON}|local|name|mail)",
            rf"\bno (?:\w+ )?{_PERSON} (?:\w+ )?(?:here )?(?:by|with|of|under|for) (?:that|this)",
            rf"\b(?:unknown|invalid|non-?existent|unbekannter?|unbekanntes|ungultiger?|bad destination|illegal)"
            rf"(?: or \w+)?(?: \w+)? ?{_NOT_THE_SENDERS}{_PERSON}",
            rf"{_NOT_THE_SENDERS}\b{_PERSON}\b[^.;:]{{0,60}}{_ABSENT}",
            rf"\bk(?:ein|eine|einen) (?:\w+ )?{_PERSON}\b",
            rf"\b(?:aucune?|ningun[oa]?|nessun[oa]?|geen|nenhuma?) {_PERSON}\b",
            r"\b(?:user|person|customer) does ?n[o']t have an? .{1,40}account",
            r"\brecip(?:ient)?notfound\b",
            r"\bnot (?:our|a|an) (?:\w+ ){0,2}(?:user|customer|mailbox|recipient)\b",
            r"\b(?:nobody|no ?one|niemand|personne) (?:here )?(?:of|by|with|has|mit) ",
        ),
    ),
    (
        Topic.FULL,
        _any(
            rf"\b{_PERSON}\b[^.;:]{{0,50}}\b(?:full|voll|uberfullt|plein|pleine|llen[oa]|pien[oa]|vol|chei[oa]|pelna|fullt?|полон|переполнен)\b|已满|容量不足|空间不足",
            rf"\b(?:full|volles?|overfull) {_PERSON}\b",
            r"\bover[- ]?quota\b|\bquota\b|\bkontingent\b|\bquotum\b|\bcuota\b|\bspeicher(?:platz|grenze)",
            r"\b(?:insufficient|not enough|no (?:more )?(?:room|space)|out of|exceeded|kein|genug|plus assez)"
            r" (?:\w+ ){0,2}(?:storage|space|disk|room|platz|speicherplatz|espace|espacio|spazio|ruimte)",
            r"\bno (?:more )?(?:room|space)\b|\bkein(?:en)? platz\b|\bdisk\b[^.;:]{0,30}\bfull\b|\bstorage (?:limit|allocation|exceeded|is)",
            rf"\b{_PERSON}\b[^.;:]{{0,30}}\b(?:exceed\w*|over|uberschr\w+|depass\w+|exced\w+|super\w+)\b[^.;:]{{0,30}}\b(?:size|storage|limit|space|capacity|allow\w+|grosse|taille|tamano)",
        ),
    ),
    (
        Topic.SUSPENDED,
        _any(
            rf"{_NOT_THE_SENDERS}\b{_PERSON}\b[^.;:]{{0,40}}\b(?:disabled|suspend\w+|(?:temporar\w+ )?locked|inactive|inactivated|deactivated|frozen|blocked|expired|not active|restricted"
            r"|gesperrt|deaktiviert|stillgelegt|inaktiv|bloque\w*|desactive\w*|suspendid[oa]|desactivad[oa]|bloquead[oa]|disabilitat[oa]|sospes[oa]|bloccat[oa]|geblokkeerd|uitgeschakeld)",
            rf"\b(?:disabled|suspended|inactive|locked|deactivated|gesperrtes|deaktiviertes) {_NOT_THE_SENDERS}{_PERSON}",
            r"\bmailbox (?:is )?(?:temporarily |currently )?(?:busy|locked|in use)\b",
        ),
    ),
    (
        Topic.RECIPIENT_RULES,
        _any(
            r"\b(?:un)?erwunscht\w*|\bnot wanted\b|\bindesirable|\bno deseado|\bprefer\w*|\bpreferenz\w*|\bwish\w*|\bwunsch\w*",
            r"\b(?:recipient|user|addressee|empfanger|destinataire|destinatario)(?:'?s)? (?:own )?(?:settings|rules|polic(?:y|ies)|filters?|choice|white ?list)",
            r"\b(?:recipient|user|mailbox|addressee|person|group|empfanger|benutzer|destinataire)\b[^.;:]{0,30}\b(?:only (?:accepts?|takes?)|(?:does|do|is) ?n[o']t (?:want|accept\w*|wish|allow\w*|tak\w+|receiv\w+)|refus\w+ (?:mail|messages|your)|rejects? (?:mail|messages|your)|nimmt (?:\w+ ){0,4}(?:nicht|kein\w*)|nimmt nur)",
            r"\b(?:rejected|refused|blocked|declined|turned away|abgelehnt) by (?:the )?(?:recipient|user|addressee|owner|empfanger)\b",
            r"\bwhite ?-?list\w*|\bmember(?:s|ship)?\b",
        ),
    ),
    (
        Topic.LIMIT,
        _any(
            r"\b(?:dail(?:y|ies)|hourly|monthly|sending|send|outgoing|outbound|sender|submission|relay|message|mail|e-?mail|smtp|connection|recipients?|user|rate|throughput|tages|stunden|sende|versand)[- ]?"
            r"(?:(?!size|length|large|big|line)\w+ ){0,3}(?:rate|quota|limit|limits|allowance|cap|threshold|kontingent)\b(?! (?:of|set by) (?:the )?(?:mailbox|recipient))",
            r"\b(?:sende|versand|tages|stunden)(?:limit|kontingent|grenze|rate|quota)\w*",
            r"\brate[- ]?limit\w*|\bratelimit\w*|\bthrottl\w*|\bgedrosselt|\bat a rate\b|\bunexpected volume",
            r"\b(?:limit|quota|allowance|maximum|kontingent|limite|cuota)\b[^.;]{0,50}\b(?:sender|sending|customer|per (?:hour|day|minute|second)|hour|day|today|daily|heute|stunde|tag|jour|heure|hora|dia|ora|giorno|uur|dag)\b",
            r"\b(?:limite|cuota|quota)\b[^.;]{0,40}\b(?:giornalier\w+|orari[oa]|d['’ ]?invi\w+|di invio|de envi\w+|d['’ ]?envoi\w*|diari[oa]|horari[oa])",
            r"\b(?:sender|customer|sending|kunde|client)\b[^.;]{0,50}\b(?:limit|quota|allowance|maximum|kontingent)",
            r"\btoo (?:many|much) (?!hops)|\btoo (?:fast|quickly|frequent\w*|often)\b|\bmax\w* (?:number )?(?:of )?(?:messages|mails|e-?mails|recipients|connections|emails)",
            r"\b(?:no more|exceed\w*|reached|over) (?:\w+ ){0,4}(?:per|in|within|for|this|an) (?:\w+ )?(?:hour|day|minute|today)",
            r"\b(?:this|per|an|each|last|next) (?:hour|minute|second)\b|\b(?:pro|diese[rn]?) (?:stunde|minute|tag)\b|\bper (?:day|24 ?h)|\bpar (?:heure|jour|minute)\b|\bpor (?:hora|dia|minuto)\b",
            r"\b\d+ \w+ (?:an?|per|pro|je|par|por|al|per) (?:day|hour|minute|tag|stunde|minute|jour|heure|dia|hora|giorno|ora)\b|\bslow(?:er| down)\b|\bsimultaneous connections|\bno ips available|频率|过于频繁|超过.{0,6}限制",
            r"\bzu (?:viele?|schnell|haufig)\b|\btrop (?:de|d'|rapid\w+)|\bdemasiad[oa]s\b|\btropp[ei]\b|\bte (?:veel|snel)\b|\bmuit[oa]s (?:mensagens|emails|e-mails|destinatarios|conexoes)|\bzbyt wiele",
        ),
    ),
    (
        Topic.SIZE,
        _any(
            r"\b(?:message|mail|e-?mail|letter|content|body|attachment|nachricht|size|length|line)s?\b[^.;:]{0,40}\b(?:too (?:large|big|long)|exceeds?|exceeded|exceeding|limit|uberschr\w+)",
            r"\btoo (?:large|big)\b|\blarger than\b|\bbigger than\b|\btoo small for\b|\b(?:maximum|max|maximale?) (?:\w+ )?(?:size|length|grosse|taille|tamano)|\bsize limit\b|\boversized?\b",
            r"\bzu gross\b|\btrop (?:gros\w*|grand\w*|volumineux|long\w*)|\bdemasiado (?:grande|larg[oa])|\btropp[oa] (?:grande|lung[oa]|voluminos\w+)|\bte groot\b|\bmuito grande\b|\bza duz\w+|\bslishkom bolsh",
        ),
    ),
    (
        Topic.BLOCKED,
        _any(
            r"\b(?:block|black|deny|reject|access) ?-?list(?:s|ed|ing)?\b|\bblock(?:ed|ing|iert)\b|\bgesperrt\b|\bbloque\w*|\bbloquead[oa]s?\b|\bbloccat[oaie]\b|\bgeblokkeerd\b|\bbanned\b|\b(?:dns|r|uri)[bw]ls?\b|\bdnsrbl|\(bl\)|\bon (?:our|a|the|my) (?:\w+ ){0,2}list\b|\blist of spam|(?<!not )\blisted (?:at|by|in|on)\b|\b(?:is|are|was|were|been|currently|still) listed\b|\baddress listed\b|\bsperrliste|\bschwarze liste|\bliste noire|\blista negra|\blista nera|\bzwarte lijst",
            r"\b(?:spamhaus|spamcop|sorbs|barracuda\w*|uribl|surbl|senderscore|proofpoint|cloudmark|abusix|uceprotect|spamrats)\b",
            r"\breputation\b|\b(?:poor|low|bad) (?:\w+ )?(?:score|reputation)|\bcomplain\w*|\bbeschwerden",
            r"\bspam\w*|\bjunk\b|\bbulk\b|\bu[bc]e\b|\bunsolicited\b|\bunwanted\b|\bphish\w*|\babus\w+|\bsuspicious\b|\bvirus\w*|\bmalware\b|\bsuspect\w*|\bharmful\b|\bmcspam\w*",
            r"\bcontent (?:rejected|filter\w*|presents|not)|\b(?:header|from:) (?:error|is|invalid)|\bduplicate header|\bheader error",
            r"\b(?:spf|dkim|dmarc|arc)\b|\b(?:un)?authenticat\w*|\bauthentifi\w+|\bauthrequired\b|\bautenti\w+",
            r"\bptr\b|\breverse[- ]?(?:dns|lookup|name)|\brdns\b|\bfcrdns\b|\bip name lookup|\bmismatch\w*|\bunverifyable|\bunverifiable|\bdns ptr",
            r"\b(?:helo|ehlo)\b|\b(?:start)?tls (?:is )?required",
            r"\b(?:your|source|sending|client|sender|ihre?|votre|vostro|uw) (?:\w+ )?(?:ip|host|mail ?server|server|domain|network|rechner|serveur|servidor)\b[^.;]{0,60}\b(?:not|no|reject\w*|refus\w*|den\w+|fail\w*|bad|poor|listed|block\w*|bloq\w+|ban\w*|invalid|missing|required?|stands?|nicht|pas)\b",
            r"\b(?:client|source|sending) (?:host|ip|address|domain)\b|\bip source\b|\bip[= ]?(?:address )?\d{1,3}\.\d{1,3}\.",
            r"\bfrom (?:\[?\d{1,3}(?:\.\d{1,3}){3}|servers? )",
            r"\bsender(?:'s)? (?:\w+ )?(?:address|domain|verif\w+|reject\w*|not|is|denied|blocked|unknown|invalid)|\b(?:unroutable|invalid|unknown|forged|unverified) sender|\bsenders? not\b|\bdomain of (?:the )?sender|\bmail from(?::| (?:command|address|domain|rejected|not|is)\b)|\breturn[- ]path\b|\babsender\w*|\bexpediteur|\bremitente|\bmittente|\bafzender|\bremetente|\bfrom: (?:domain|header|address)|\b(?:valid|in) from:",
            r"\b(?:log(?:ged)? ?in|log on|sign in|anmeld\w+|credential\w*|sasl|password|passwort)\b",
            r"\bmay not (?:be )?(?:mail exchanger|relay)|\bsmtp server of your\b|\byour (?:isp|internet service provider)",
            r"\bno (?:smtp )?service\b|\bnot accepting connections|\b(?:refused|refuse) to talk|\btakes? no mail from|\b(?:not|never) (?:\w+ ){0,3}(?:mail|mails|messages|connections) from (?:your|this|these|\W*\d)|\bno mail (?:accepted )?from|\bconnections? not accepted|\bservice unavailable; client|\bdnsbl",
            r"\brelay\w*\b(?: \w+){0,3} (?:denied|not|prohibited|forbidden|verboten|refus\w+|disabled)|\b(?:not|cannot|can't|no|unable to|insecure mail|we do not|nicht|open) (?:\w+ ){0,4}relay",
            r"\b(?:dynamic|bad|invalid|your|source|client|sending|server|from|remote) (?:\w+ )?ips?\b|\bip (?:profile|not|is)\b|(?<!to )(?<!to the )\bsenders?\b",
            r"\b(?:find|resolve|verify) your (?:host\w*|address|domain|name)|\b(?:unknown|no) reverse|\bunresolvable\b|\bnameserver query|\b(?:does|do|could) ?n[o']t resolve|\bno mx record",
            r"\brcpthosts\b|\b(?:as|open|unauthori[sz]ed) (?:an? )?relay\b|\brelay host\b|\b(?:do ?n[o']t|not) handle mail|\bno access\b|\bnot subscribed to",
            r"\bbogus\b|\bforged\b|\bbatv\b|\bbackscatter\b|\bthird-party dsn|\bnon-member|\bmembers[- ]only\b|\bclosed (?:mailing )?list|\b(?:requires?|need\w*) confirmation|\bconfirm this",
            r"\b(?:illegal|prohibited|forbidden|dangerous|images or other) (?:\w+ )?attachment|\battachment type|\binfect\w*|\bmass mail\w*|\bpoor quality|\bscore\b|\bblackhol\w*",
            r"\b(?:message|mail|letter|our|content) (?:was |is |has been )?filter(?:ed|s)?\b|\bpass (?:the |our )?filter|\bits content|\borgani[sz]ational settings|\blow priority",
            r"\bencrypt\w*|\bstarttls\b|\btls\b|\b(?:bad|missing|invalid|malformed) (?:\w+ )?headers?|\bheaders? (?:missing|fail\w*)|\brfc ?\d{3,4}\b|\bsyntax check",
            r"\bспам\w*|\bзаблокирован\w*|\bчерн\w+ списк\w*|\bотправител\w*|スハム|迷惑メール|垃圾邮件|黑名单|发件人|信誉",
            r"\bterms of service|\bcode of conduct|\bnot a member\b",
        ),
    ),
    (
        Topic.DENIED,
        _any(
            r"\bden(?:ied|y)\b|\bpolic(?:y|ies)\b|\brichtlinie\w*|\bpolitique|\bpolitica|\bbeleid|(?<!connection )(?<!verbindung )\brefus\w*|\bforbidden|\bprohibited|\bverboten|\bverweigert|\babgelehnt|(?<!mailbox name )\bnot (?:permitted|allowed|authori[sz]ed|accepted)|\bunauthori[sz]ed|\badministrativ\w+|拒否|拒绝|拒收|\bdenegad[oa]|\bnegat[oa]|\bgeweigerd|\bnegad[oa]|\bsecurity\b",
            r"(?<!address )(?<!recipient )(?<!addresses )\breject\w*|\brejet\w*|\brechazad[oa]|\brifiutat[oa]|\brejeitad[oa]|\bodrzucon",
        ),
    ),
    (
        Topic.LATER,
        _any(
            r"\b(?:try|repeat|retry|come back|send|resend)\b[^.;]{0,20}\b(?:again|later|it)\b|\blater\b|\bwait\b|\btemporar\w+|\bnot now\b|\bspater\b|\bvorubergehend|\bplus tard|\bmas tarde|\bpiu tardi|\btijdelijk|\bmais tarde|\btemporaire\w*",
            r"\b(?:internal|server|system|temporary|dns|lookup|ldap|database)(?: \w+)? (?:error|fail\w*|problem|lost)|\boverload\w*|\bmaintenance\b|\bwartung\b|\btime(?:d )?-?out\b|\bcan(?:not|'t) (?:verify|check|look)|\b(?:at the|im|en ce|en este|in questo) moment|\bmomentan|\bnameserver|\bname server|\bname service|\bdoes not (?:answer|respond)|\bunreachable\b|\bconnection\b[^.;]{0,30}\b(?:lost|closed|refused|reset)|\buberlast\w*",
        ),
    ),
    (
        Topic.TO_SENDER,
        _any(
            r"\b(?:you|yours?|ihnen|ihre?[nmrs]?|sie|vous|votre|vos|usted|voi|vostr[oa]|uw|seu|voce)\b",
            r"\bbecause\b|\bdue to\b|\bowing to\b|\bwegen\b|\baufgrund\b|\bweil\b|\bparce que|\ben raison|\bdebido a|\bporque\b|\ba causa|\bomdat\b|\bwegens\b|\bdevido a",
        ),
    ),
)
_CONCERNS_ALL = _any(
    # Postfix asks about client, HELO and sender only when the first recipient is named.
    r"\b(?:sender|client|helo|ehlo)\b(?: (?:address|host|command))?[^.;:]{0,20} (?:rejected|refused|not allowed)",
    r"\bsender verif\w+ fail\w+|\bdomain of (?:the )?sender",
    r"\brelay\w*\b(?: \w+){0,3} (?:denied|not|prohibited|forbidden|verboten|refus\w+|disabled)",
    r"\b(?:not|cannot|can't|no|unable to|we do not|do not|don't|nicht) (?:\w+ ){0,4}relay",
    r"\b(?:un)?authenticat\w* (?:is )?(?:required|failed)|\bauthentication required|\blog ?in (?:first|required)",
)

_LINK = re.compile(r"\bhttps?://\S+|\bwww\.\S+")
_LIST_LINK = re.compile(
    r"spamhaus|spamcop|dnsbl|rbl|/bl\b|block|black|sorbs|delist|barracuda|senderscore"
)
_GROUP_LINK = re.compile(r"//groups\.|/groups?/")
_ADDRESS = re.compile(r"<?[^\s<>]*(?:@|%40)[^\s<>]*>?")
_HOST = re.compile(r"(?<![\w@.-])(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*[a-z]\b\.?")
_LIST_HOST = re.compile(r"spamhaus|spamcop|dnsbl|\brbl|sorbs|barracuda|uribl|surbl")
_LIMIT = 2000


def fold(text: str) -> str:
    """Return `text` without addresses, host names and links, folded for comparing."""
    folded = unicodedata.normalize("NFKD", text[:_LIMIT].casefold())
    folded = "".join(char for char in folded if not unicodedata.combining(char))
    folded = _LINK.sub(lambda at: f" {_link_target(at[0])} ", folded)
    folded = _ADDRESS.sub(" … ", folded)
    folded = _HOST.sub(lambda at: " blocklist " if _LIST_HOST.search(at[0]) else " … ", folded)
    # Replies of several lines repeat their code in each.
    folded = re.sub(r"\b[245]\d\d[- ]#?(?:[245]\.\d{1,3}\.\d{1,3})?", " ", folded)
    return " ".join(folded.replace("_", " ").split())


def _link_target(link: str) -> str:
    """Return what a link's target stands for: a block list, or a group that accepts members' mail."""
    if _LIST_LINK.search(link):
        return "blocklist"
    return "not a member" if _GROUP_LINK.search(link) else ""


def topics_in(text: str) -> frozenset[Topic]:
    """Return the topics that the words of a refusal mention."""
    folded = fold(text)
    topics = {topic for topic, pattern in _TABLE if pattern.search(folded)}
    if Topic.FULL in topics and Topic.LIMIT in topics and not _OF_THE_SENDER.search(folded):
        topics.discard(Topic.LIMIT)
    if Topic.LIMIT in topics:
        topics.discard(Topic.FULL)
    if Topic.SIZE in topics and _MAILBOX_SIZE.search(folded):
        topics.add(Topic.FULL)
    if _IP.search(folded):  # a machine is blocked, not a mailbox
        topics.discard(Topic.SUSPENDED)
    if _ADDRESS_REJECTED.search(folded):  # what Postfix and Exchange put before every reason
        topics.discard(Topic.DENIED)
    return frozenset(topics)


_IP = re.compile(r"\bips?\b|\d{1,3}(?:\.\d{1,3}){3}")
_ADDRESS_REJECTED = re.compile(r"\b(?:recipient|destination|rcpt)(?: address)?(?:es)? rejected\b")
_OF_THE_SENDER = _any(
    r"\b(?:daily|hourly|monthly|sending|outgoing|outbound|sender\w*|submission|rate|customer|per (?:hour|day|minute)|today|hour|heute|tages\w*|stunde\w*|sende\w*|versand\w*|too many|zu viele|messages)\b"
)
_MAILBOX_SIZE = _any(
    rf"\b(?:size|large|larger|length|big)\b[^.;]{{0,60}}\b(?:this|the|by) {_PERSON}\b",
)


def concerns_every_mail(text: str) -> bool:
    """Return True if a refusal says that we may not submit mail at all, whoever the recipient is."""
    return bool(_CONCERNS_ALL.search(fold(text)))
