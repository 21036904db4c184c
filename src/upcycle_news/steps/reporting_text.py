"""Text of strangers in the pages of the cockpit."""

from __future__ import annotations


def md(text: str) -> str:
    """Text of strangers as text: no markup of theirs in our pages."""
    plain = " ".join(text.split())
    for char in "\\`*_[]<>#|":
        plain = plain.replace(char, f"\\{char}")
    return plain
