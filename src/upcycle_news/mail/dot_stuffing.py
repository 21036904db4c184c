"""Dot stuffing: a message as it is sent after DATA, with leading dots doubled and the final line.

RFC 5321, section 4.5.2. Looking through 60 kB for dots costs as much as handing them to the
kernel, so a template does it once for all recipients.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class DotStuffedMessage:
    """`pieces` as they are sent; `size` of the message itself in bytes, as SIZE counts it (RFC 1870).

    The kernel takes pieces one after another (`socket.sendmsg`), so what is constant need not be copied
    for each recipient.
    """

    pieces: tuple[bytes, ...]
    size: int

    @property
    def data(self) -> bytes:
        """Return the pieces joined."""
        return b"".join(self.pieces)


def dot_stuff(message: bytes) -> DotStuffedMessage:
    """Return `message`, which has CRLF line ends, as it is sent after DATA."""
    data = double_leading_dots(message, at_line_start=True)
    return DotStuffedMessage((data, end_of_data(data)), len(message))


def double_leading_dots(piece: bytes, *, at_line_start: bool) -> bytes:
    """Return a piece of a message with the leading dots of its lines doubled.

    `at_line_start`: True when a line begins with the piece. Pieces are never cut between CR and LF.
    """
    stuffed = piece.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if at_line_start and stuffed.startswith(b".") else stuffed


def end_of_data(data: bytes) -> bytes:
    """Return what ends the message after these bytes: a line with a single dot."""
    return b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n"
