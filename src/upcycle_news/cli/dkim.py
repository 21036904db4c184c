"""`upcycle-news dkim keygen`: make a key for DKIM signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from upcycle_news.cli.output import JsonOption, note, open_publication, print_json, usage_error
from upcycle_news.i18n.messages import localized


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
        raise usage_error(localized("dkim-kind"))
    with open_publication() as app:
        key = app.keys.generate_dkim(selector, "rsa" if kind == "rsa" else "ed25519", file=out)
    if as_json:
        print_json(
            {"name": key.name, "type": "TXT", "value": key.record, "key_file": str(key.file)}
        )
        return
    # One string of a TXT record holds 255 characters (RFC 1035, section 3.3).
    pieces = [key.record[at : at + 255] for at in range(0, len(key.record), 255)]
    typer.echo(f"{key.name}. IN TXT " + " ".join(f'"{piece}"' for piece in pieces))
    note(
        localized(
            "dkim-publish",
            setting=key.setting,
            selector=selector,
            variable=key.variable,
            file=key.file,
        )
    )
