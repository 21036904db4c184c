"""A message as it travels after DATA: leading dots doubled, the end mark behind it.

RFC 5321, section 4.5.2. Looking through 60 kB for dots costs as much as handing them to the
kernel, so a template does it once for all readers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class DotStuffedMessage:
    """Ready for the wire. `size` is that of the message itself, as SIZE counts it (RFC 1870)."""

    wire: bytes
    size: int


def dot_stuff(message: bytes) -> DotStuffedMessage:
    """`message`, which has CRLF line ends, made ready for the wire."""
    wire = double_leading_dots(message, fresh_line=True)
    return DotStuffedMessage(wire + end_of_data(wire), len(message))


def double_leading_dots(piece: bytes, *, fresh_line: bool) -> bytes:
    """A piece of a message with its leading dots doubled.

    `fresh_line`: whether a line begins with it. Pieces are never cut between CR and LF.
    """
    found = piece.replace(b"\r\n.", b"\r\n..")
    return b"." + found if fresh_line and found.startswith(b".") else found


def end_of_data(wire: bytes) -> bytes:
    """What ends the message behind these bytes."""
    return b".\r\n" if wire.endswith(b"\r\n") else b"\r\n.\r\n"
