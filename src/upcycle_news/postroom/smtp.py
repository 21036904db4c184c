"""The only SMTP client. yagmail opens and logs in; the conversation is held step by step here.

yagmail's own sending rewrites the message, logs in for every mail and retries after a lost
connection, which doubles mail; `smtplib.sendmail` hides at which step a connection died. Who got
a message and who did not depends on exactly that.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from upcycle_news.errors import RelayError, UpcycleError
from upcycle_news.model import Envelope, Relay, SmtpReply
from upcycle_news.postroom.outcomes import (
    Accepted,
    CannotCarry,
    LostBeforeBody,
    LostInBody,
    Outcome,
    Refused,
    RelayUnreachable,
    Stage,
)
from upcycle_news.postroom.replies import parse_reply

_QUIT_TIMEOUT = 2.0  # seconds: manners must not hold up the end of a run
_DOT = re.compile(rb"\r\n\.")
_WRITABLE = re.compile(r"[^\s<>\x00-\x1f\x7f]*\Z")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def open_connection(relay: Relay) -> Connection:
    """Connect to `relay`, start TLS and log in.

    ``tls`` is TLS from the first byte (RFC 8314), ``starttls`` is required and never optional
    (RFC 3207), both with a verified certificate; ``none`` is plain. Raises `RelayUnreachable`
    when another try may help and `RelayError` when it will not; neither carries a secret.
    """
    where = f"{relay.host}:{relay.port}"
    try:
        return Connection(_logged_in(relay))
    # What smtplib raises may quote the user name or, for a password in another script, the
    # password itself: nothing of it goes on but the redacted reply.
    except smtplib.SMTPResponseException as error:
        raise _turned_away(where, relay, error) from None
    except smtplib.SMTPNotSupportedError as error:
        raise RelayError(_not_offered(where, error)) from None
    except smtplib.SMTPServerDisconnected:
        raise RelayUnreachable(
            f"the relay {where} hung up during the greeting: check security (port 465 is tls, "
            "587 is starttls), or try again later"
        ) from None
    except smtplib.SMTPException:
        raise RelayError(f"the relay {where} offers no way to log in that we know") from None
    except UnicodeError:
        raise RelayError(
            f"the relay {where}: host, user name or password contains characters that SMTP cannot "
            "carry: use plain ASCII"
        ) from None
    except OSError as error:
        raise _unreachable(where, relay, error) from None


def _logged_in(relay: Relay) -> smtplib.SMTP:
    import yagmail

    options: dict[str, Any] = {"timeout": relay.timeout}
    if relay.host in _LOOPBACK:
        # smtplib asks DNS for our own name, which takes seconds on a machine without one.
        options["local_hostname"] = "localhost"
    if relay.security == "tls":
        options["context"] = ssl.create_default_context()
    elif relay.security == "starttls":
        options |= {"smtp_ssl": False, "smtp_starttls": {"context": ssl.create_default_context()}}
    else:
        options |= {"smtp_ssl": False, "smtp_starttls": False}
    client = yagmail.SMTP(
        relay.username,
        relay.password,
        host=relay.host,
        port=relay.port,
        soft_email_validation=False,
        smtp_skip_login=not relay.username,
        **options,
    )
    client.set_logging(None)
    client.user = relay.username  # without an @, yagmail makes it an account at Gmail
    try:
        client.login()
        smtp: smtplib.SMTP = client.smtp
        smtp.ehlo_or_helo_if_needed()
    except BaseException:
        if client.smtp is not None:
            client.smtp.close()
        raise
    finally:
        client.is_closed = True  # the connection is ours: yagmail must not close it when collected
    return smtp


def _turned_away(where: str, relay: Relay, error: smtplib.SMTPResponseException) -> RelayError:
    raw = (
        error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
    )
    account = Envelope(sender=relay.username, recipient=relay.username)
    reply = parse_reply(error.smtp_code, raw, account)
    said = " ".join(part for part in (str(reply.code), reply.enhanced, reply.text) if part)
    if isinstance(error, smtplib.SMTPAuthenticationError) and reply.code >= 500:
        return RelayError(
            f"the relay {where} refused the login ({said}): check user name and password"
        )
    if reply.code >= 500:
        return RelayError(f"the relay {where} turned us away ({said}): ask its operator")
    return RelayUnreachable(f"the relay {where} is not ready ({said}): try again later")


def _not_offered(where: str, error: smtplib.SMTPNotSupportedError) -> str:
    if "STARTTLS" in str(error):
        return (
            f"the relay {where} does not offer STARTTLS, and nothing is sent in the clear: use "
            'another port, or security = "tls", or "none" if the network is yours'
        )
    return f"the relay {where} offers no login: leave user name and password empty, or change port"


def _unreachable(where: str, relay: Relay, error: OSError) -> RelayError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return RelayError(
            f"the certificate of the relay {where} cannot be trusted "
            f"({error.verify_message or 'verification failed'}): check the host name, or give "
            "SSL_CERT_FILE the file of its authority"
        )
    if isinstance(error, ssl.SSLError):
        return RelayError(
            f"TLS with the relay {where} failed, security is {relay.security!r}: port 465 is tls, "
            "587 is starttls"
        )
    if isinstance(error, socket.gaierror):
        why, cure = "its name is not known", "check host and the network"
    elif isinstance(error, TimeoutError):
        why = f"no answer within {relay.timeout:g} s"
        cure = "check host, port, security and the firewall"
    elif isinstance(error, ConnectionRefusedError):
        why, cure = "nothing listens there", "check host and port, or start it"
    else:
        why, cure = error.strerror or type(error).__name__, "check host, port and the network"
    return RelayUnreachable(f"the relay {where} cannot be reached, {why}: {cure}")


class Connection:
    """An open connection. Not for several threads; after a refusal it goes on with the next."""

    def __init__(self, smtp: smtplib.SMTP) -> None:
        """Take over `smtp`, which is connected and logged in."""
        self._smtp = smtp
        self.broken = False
        self.in_body = False

    def send(self, envelope: Envelope, message: bytes) -> Outcome:
        """Hand over one message to one recipient: MAIL, RCPT, DATA, body (RFC 5321, 3.3).

        `message` has CRLF line ends and no dot stuffing. What the relay does is in the outcome;
        raises only for an envelope sender that is not one.
        """
        self.in_body = False
        if not _WRITABLE.match(envelope.sender) or not envelope.sender.isascii():
            raise UpcycleError("the envelope sender is not an address: check the sender settings")
        if not _WRITABLE.match(envelope.recipient) or not envelope.recipient:
            return CannotCarry("the address contains a space, a bracket or a control character")
        international = not envelope.recipient.isascii()
        if international and not self._smtp.has_extn("smtputf8"):
            return CannotCarry(
                "the address has letters outside ASCII, and the relay does not offer SMTPUTF8"
            )
        try:
            self._smtp.command_encoding = "utf-8" if international else "ascii"
            outcome = self._converse(envelope, message, international)
        except (smtplib.SMTPException, OSError) as error:
            outcome = self._lost(error)
        except BaseException:
            self.broken = True
            raise
        return outcome

    @property
    def offers(self) -> dict[str, str]:
        """What the relay can do, by name in lower case (EHLO, RFC 5321, section 4.1.1.1)."""
        return dict(self._smtp.esmtp_features)

    @property
    def protection(self) -> tuple[str, bytes]:
        """The version of TLS and the relay's certificate as DER; both empty without TLS."""
        if not isinstance(self._smtp.sock, ssl.SSLSocket):
            return "", b""
        return self._smtp.sock.version() or "", self._smtp.sock.getpeercert(binary_form=True) or b""

    def close(self) -> None:
        """Say QUIT unless the connection is broken, and close it; never raises."""
        with suppress(smtplib.SMTPException, OSError):
            if not self.broken and self._smtp.sock is not None:
                self._smtp.sock.settimeout(_QUIT_TIMEOUT)
                self._smtp.quit()
        self.broken = True
        with suppress(OSError):
            self._smtp.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _converse(self, envelope: Envelope, message: bytes, international: bool) -> Outcome:
        size = f" SIZE={len(message)}" if self._smtp.has_extn("size") else ""  # RFC 1870
        utf8 = " BODY=8BITMIME SMTPUTF8" if international else ""  # RFC 6531, section 3.6
        steps: tuple[tuple[Stage, str, int], ...] = (
            ("mail", f"MAIL FROM:<{envelope.sender}>{size}{utf8}", 2),
            ("rcpt", f"RCPT TO:<{envelope.recipient}>", 2),
            ("data", "DATA", 3),
        )
        for stage, command, expected in steps:
            code, raw = self._smtp.docmd(command)
            if code // 100 in {4, 5}:
                return self._refused(stage, parse_reply(code, raw, envelope, message))
            if code // 100 != expected:
                self.broken = True
                return LostBeforeBody(f"the relay answered {stage.upper()} with {code}")
        return self._body(envelope, message)

    def _body(self, envelope: Envelope, message: bytes) -> Outcome:
        assert self._smtp.sock is not None
        stuffed = _dot_stuffed(message)
        self.in_body = True
        self._smtp.sock.sendall(stuffed)
        code, raw = self._smtp.getreply()
        reply = parse_reply(code, raw, envelope, message)
        if code // 100 == 2:
            return Accepted(reply)
        if code // 100 in {4, 5}:
            return self._refused("body", reply)
        self.broken = True
        return LostInBody(f"the relay answered the message with {code}")

    def _refused(self, stage: Stage, reply: SmtpReply) -> Outcome:
        """The transaction is over; make the connection ready for the next one."""
        if reply.code == 421:  # RFC 5321, section 3.8: the relay closes the connection
            self.broken = True
        elif stage != "body":
            try:
                self.broken = self._smtp.rset()[0] != 250
            except (smtplib.SMTPException, OSError):
                self.broken = True
        return Refused(stage, reply)

    def _lost(self, error: Exception) -> Outcome:
        self.broken = True
        slow = isinstance(error, TimeoutError) or "timed out" in str(error)
        what = "did not answer in time" if slow else "closed the connection"
        if self.in_body:
            return LostInBody(f"the relay {what} while it took the message: it may have arrived")
        return LostBeforeBody(f"the relay {what} before it took the message")


def _dot_stuffed(message: bytes) -> bytes:
    """`message` as it travels after DATA, with its end mark (RFC 5321, section 4.5.2)."""
    stuffed = message
    if _DOT.search(message):  # hardly ever; looking is cheaper than replacing
        stuffed = message.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")
