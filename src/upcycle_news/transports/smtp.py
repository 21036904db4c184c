"""Open a connection to the relay: yagmail connects, starts TLS and logs in.

Messages are sent by `smtp_session`: yagmail's own sending rewrites the message, logs in for every
mail and retries after a lost connection, which sends mail twice; `smtplib.sendmail` hides at which
step a connection died. Who got a message and who did not depends on exactly that.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
import traceback
from typing import Any

from upcycle_news.errors import RelayError
from upcycle_news.fileio import os_reason
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Envelope, Relay
from upcycle_news.transports.outcomes import RelayUnreachable
from upcycle_news.transports.replies import parse_reply
from upcycle_news.transports.smtp_session import SmtpConnection

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def open_connection(relay: Relay) -> SmtpConnection:
    """Connect to `relay`, start TLS and log in.

    ``tls`` is TLS from the first byte (RFC 8314), ``starttls`` is required and never optional
    (RFC 3207), both with a verified certificate; ``none`` is plain. Raises `RelayUnreachable`
    when another try may help and `RelayError` when it will not; neither carries a secret.
    """
    where = f"{relay.host}:{relay.port}"
    try:
        return SmtpConnection(_log_in(relay))
    # What smtplib raises may quote the user name or, for a password in another script, the
    # password itself: only the redacted reply is kept.
    except smtplib.SMTPResponseException as error:
        raise _refused(where, relay, error) from None
    except smtplib.SMTPNotSupportedError as error:
        raise RelayError(_not_offered(where, error)) from None
    except smtplib.SMTPServerDisconnected as error:  # also for an answer that did not come in time
        silent = isinstance(error.__context__, TimeoutError)
        raise (_silent if silent else _hung_up)(where, relay, error) from None
    except smtplib.SMTPException:
        raise RelayError(localized("relay-no-known-login", where=where)) from None
    except UnicodeError:
        raise RelayError(localized("relay-not-ascii", where=where)) from None
    except OSError as error:
        raise _unreachable(where, relay, error) from None


def _log_in(relay: Relay) -> smtplib.SMTP:
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


def _refused(where: str, relay: Relay, error: smtplib.SMTPResponseException) -> RelayError:
    raw = (
        error.smtp_error if isinstance(error.smtp_error, bytes) else str(error.smtp_error).encode()
    )
    account = Envelope(sender=relay.username, recipient=relay.username)
    reply = parse_reply(error.smtp_code, raw, account)
    text = " ".join(part for part in (str(reply.code), reply.enhanced, reply.text) if part)
    if isinstance(error, smtplib.SMTPAuthenticationError) and reply.code >= 500:
        return RelayError(localized("relay-login-refused", where=where, reply=text))
    if reply.code >= 500:
        return RelayError(localized("relay-turned-away", where=where, reply=text))
    return RelayUnreachable(localized("relay-not-ready", where=where, reply=text))


def _not_offered(where: str, error: smtplib.SMTPNotSupportedError) -> LocalizedText:
    if "STARTTLS" in str(error):
        return localized("relay-no-starttls", where=where)
    return localized("relay-no-login", where=where)


def _unreachable(where: str, relay: Relay, error: OSError) -> RelayError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return RelayError(
            localized(
                "relay-certificate", where=where, why=error.verify_message or "verification failed"
            )
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionResetError):
        return _hung_up(where, relay, error)
    if isinstance(error, ssl.SSLError):
        return RelayError(localized("relay-tls-failed", where=where, security=relay.security))
    if isinstance(error, socket.gaierror):
        return RelayUnreachable(localized("relay-name-unknown", where=where))
    if isinstance(error, TimeoutError):
        return _silent(where, relay, error)
    if isinstance(error, ConnectionRefusedError):
        return RelayUnreachable(localized("relay-not-listening", where=where))
    return RelayUnreachable(localized("relay-unreachable", where=where, why=os_reason(error)))


def _silent(where: str, relay: Relay, error: Exception) -> RelayUnreachable:
    text = localized("relay-silent", where=where, seconds=relay.timeout, step=_step(error))
    return RelayUnreachable(text)


def _hung_up(where: str, relay: Relay, error: Exception) -> RelayUnreachable:
    return RelayUnreachable(localized("relay-hung-up", where=where, step=_step(error)))


# The first that was called, of smtplib's functions, says at which step a connection ended.
_STEPS = {
    "do_handshake": localized("step-tls"),
    "wrap_socket": localized("step-tls"),
    "ehlo": localized("step-ehlo"),
    "helo": localized("step-ehlo"),
    "starttls": localized("step-starttls"),
    "auth": localized("step-login"),
    "_get_socket": localized("step-connect"),
}


def _step(error: Exception) -> LocalizedText:
    called = {frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)}
    found = (text for name, text in _STEPS.items() if name in called)
    return next(found, localized("step-greeting"))
