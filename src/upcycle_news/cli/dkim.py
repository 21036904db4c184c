"""`upcycle-news dkim keygen`: make a key for DKIM signatures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import (
    JsonOption,
    note,
    open_context,
    print_json,
)
from upcycle_news.errors import SettingsError, UpcycleError
from upcycle_news.mail.dkim import generate


def keygen(
    selector: Annotated[str, typer.Option(help="The key's name in DNS.")] = "news",
    kind: Annotated[str, typer.Option(metavar="rsa|ed25519", help="The kind of key.")] = "rsa",
    out: Annotated[
        Path | None,
        typer.Option(help="The file of the private key; default: in var/secrets."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key for DKIM and print the DNS record that belongs to it.

    Example: upcycle-news dkim keygen --selector news2026
    """
    if kind not in ("rsa", "ed25519"):
        raise typer.BadParameter("the kind is rsa or ed25519")
    with open_context() as context:
        settings = context.settings
        domain = settings.dkim.domain or settings.sender.address.rpartition("@")[2]
        if not domain:
            raise SettingsError(
                "newsletter.toml", None, "sender.address is missing: its domain signs"
            )
        path = out or settings.state / "secrets" / f"dkim-{selector}.pem"
    key = generate("rsa" if kind == "rsa" else "ed25519")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key.pem)
    except FileExistsError:
        raise UpcycleError(f"{path} exists: choose another --selector or --out") from None
    except OSError as error:
        raise UpcycleError(f"{path}: cannot be written ({error.strerror})") from None
    name = f"{selector}._domainkey.{domain}"
    variable = f"UPCYCLE_NEWS_DKIM__{kind.upper()}_KEY_FILE={path}"
    setting = "selector" if kind == "rsa" else "ed25519_selector"
    if as_json:
        print_json({"name": name, "type": "TXT", "value": key.record, "key_file": str(path)})
        return
    # One string of a TXT record holds 255 characters (RFC 1035, section 3.3).
    pieces = [key.record[at : at + 255] for at in range(0, len(key.record), 255)]
    typer.echo(f"{name}. IN TXT " + " ".join(f'"{piece}"' for piece in pieces))
    note(f"publish this record, then set dkim.{setting} = {selector!r} and {variable}")
