"""Open a connection to the relay: yagmail connects, starts TLS and logs in.

Messages are sent by `smtp_session`: yagmail's own sending rewrites the message, logs in for every
mail and retries after a lost connection, which sends mail twice; `smtplib.sendmail` hides at which
step a connection died. Who got a message and who did not depends on exactly that.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from typing import Any

from upcycle_news.errors import RelayError
from upcycle_news.i18n.messages import localized
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
    except smtplib.SMTPServerDisconnected:
        raise RelayUnreachable(localized("relay-hung-up", where=where)) from None
    except smtplib.SMTPException:
        raise RelayError(f"the relay {where} offers no way to log in that we know") from None
    except UnicodeError:
        raise RelayError(
            f"the relay {where}: host, user name or password contains characters that SMTP cannot "
            "carry: use plain ASCII"
        ) from None
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
        return RelayError(
            f"the relay {where} refused the login ({text}): check user name and password"
        )
    if reply.code >= 500:
        return RelayError(f"the relay {where} turned us away ({text}): ask its operator")
    return RelayUnreachable(localized("relay-not-ready", where=where, reply=text))


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
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):  # it hung up in the middle
        return RelayUnreachable(localized("relay-hung-up", where=where))
    if isinstance(error, ssl.SSLError):
        return RelayError(
            f"TLS with the relay {where} failed, security is {relay.security!r}: port 465 is tls, "
            "587 is starttls"
        )
    if isinstance(error, socket.gaierror):
        return RelayUnreachable(localized("relay-name-unknown", where=where))
    if isinstance(error, TimeoutError):
        return RelayUnreachable(localized("relay-silent", where=where, seconds=relay.timeout))
    if isinstance(error, ConnectionRefusedError):
        return RelayUnreachable(localized("relay-not-listening", where=where))
    why = error.strerror or type(error).__name__
    return RelayUnreachable(localized("relay-unreachable", where=where, why=why))
