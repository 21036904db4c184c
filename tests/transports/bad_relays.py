"""A relay that misbehaves as asked, and certificates for it."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from upcycle_news.models import Relay
from upcycle_news.transports.dev_mailbox import HOST, loopback_controller

Reply = Callable[["MisbehavingRelay", str], str | None]


class _Server(SMTP):
    """aiosmtpd with the two moments its hooks do not reach: around the reply to DATA."""

    async def smtp_DATA(self, arg: str) -> None:
        drop = self.event_handler.next_drop("before DATA", "within DATA")
        if drop == "before DATA":
            self.transport.abort()
        elif drop == "within DATA":
            await self.push("354 go on")
            await self._reader.readline()
            self.transport.abort()
        else:
            await super().smtp_DATA(arg)


class MisbehavingRelay:
    """A relay that accepts everything, except as the arguments say.

    `mail`, `rcpt` and `data` may return a reply instead of 250; `drop` ends each connection at
    that moment; `drops` limits it to the first so many.
    """

    def __init__(
        self,
        *,
        mail: Reply = lambda relay, address: None,
        rcpt: Reply = lambda relay, address: None,
        data: Reply = lambda relay, address: None,
        drop: Literal["", "before DATA", "within DATA", "before 250"] = "",
        drops: int = 1000,
        security: Literal["none", "starttls", "tls"] = "none",
        certificate: tuple[Path, Path] | None = None,
        password: str = "",
        smtputf8: bool = True,
        pipelining: bool = False,
    ) -> None:
        self._replies = {"mail": mail, "rcpt": rcpt, "data": data}
        self._drop, self._drops = drop, drops
        self.security, self.password = security, password
        self._pipelining = pipelining
        self.commands: list[str] = []
        self.accepted: list[tuple[str, bytes]] = []
        self.connections = 0
        options: dict[str, Any] = {"enable_SMTPUTF8": smtputf8}
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            options |= (
                {"ssl_context": context}
                if security == "tls"
                else {"tls_context": context, "require_starttls": True}
            )
        if password:
            options |= {"authenticator": self._login, "auth_require_tls": False}
        self.controller = loopback_controller(self, _Server, **options)

    def next_drop(self, *moments: str) -> str:
        """The moment to drop the connection at, if it is one of these and drops are left."""
        if self._drop not in moments or self._drops < 1:
            return ""
        self._drops -= 1
        return self._drop

    @property
    def recipients(self) -> list[str]:
        return [recipient for recipient, _ in self.accepted]

    def relay(self, **changes: Any) -> Relay:
        host = "localhost" if self.security != "none" else HOST
        values = {"name": "misbehaving", "host": host, "port": self.controller.port, "timeout": 5.0}
        return Relay(**values | {"security": self.security} | changes)

    def __enter__(self) -> Self:
        self.controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.controller.stop()

    # --- aiosmtpd's hooks

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        self.connections += 1
        session.host_name = hostname
        more = ["250-PIPELINING"] if self._pipelining else []
        return [*responses[:1], *more, *responses[1:]]  # the first line is the greeting

    async def handle_MAIL(self, server, session, envelope, address, options):
        reply = self._answer(server, "mail", address)
        if reply:
            return reply
        envelope.mail_from = address
        return "250 2.1.0 ok"

    async def handle_RCPT(self, server, session, envelope, address, options):
        reply = self._answer(server, "rcpt", address)
        if reply:
            return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_RSET(self, server, session, envelope):
        self.commands.append("rset")
        return "250 ok"

    async def handle_DATA(self, server, session, envelope):
        [recipient] = envelope.rcpt_tos
        reply = self._answer(server, "data", recipient)
        if reply:
            return reply
        self.accepted.append((recipient, envelope.original_content))
        if self.next_drop("before 250"):
            server.transport.abort()
        return "250 2.0.0 queued as 4XyZ"

    def _answer(self, server: Any, step: str, address: str) -> str | None:
        self.commands.append(step)
        reply = self._replies[step](self, address)
        if reply and reply.startswith("421"):
            server.loop.call_later(0.01, lambda: server.transport and server.transport.close())
        return reply

    def _login(self, server, session, envelope, mechanism, login) -> AuthResult:
        right = isinstance(login, LoginPassword) and login.password == self.password.encode()
        return AuthResult(success=right, handled=False, message=None if right else "535 5.7.8 no")


def always(reply: str) -> Reply:
    return lambda relay, address: reply


def for_addresses(start: str, reply: str) -> Reply:
    """Return `reply` for addresses that begin with `start`."""
    return lambda relay, address: reply if address.startswith(start) else None


def first_time(reply: str) -> Reply:
    """Greylist: return `reply` for each address that was not seen before."""
    seen: set[str] = set()

    def greylist(relay: MisbehavingRelay, address: str) -> str | None:
        if address in seen:
            return None
        seen.add(address)
        return reply

    return greylist


def first_times(count: int, reply: str) -> Reply:
    """Return `reply` to the first `count` commands."""
    left = [count]

    def busy(relay: MisbehavingRelay, address: str) -> str | None:
        left[0] -= 1
        return reply if left[0] >= 0 else None

    return busy


def after(count: int, reply: str) -> Reply:
    """Return `reply` once, when `count` messages have been accepted."""
    done: list[bool] = []

    def limit(relay: MisbehavingRelay, address: str) -> str | None:
        if len(relay.accepted) < count or done:
            return None
        done.append(True)
        return reply

    return limit


def certificate(folder: Path, name: str, days: int = 1) -> tuple[Path, Path]:
    """A self-signed certificate for the host `name`, and its key; trust it by SSL_CERT_FILE."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / f"{name}.crt", folder / f"{name}.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file
