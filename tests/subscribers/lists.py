"""A list that was read to its end."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from upcycle_news.subscribers.csv_lists import ParsedList, read_subscribers_csv


def read(
    data: bytes | str,
    *,
    columns: Mapping[str, str] = {},
    ignore: Collection[str] = (),
    take: Collection[str] = (),
) -> ParsedList:
    """Return what is in a list, read to its end."""
    parsed = read_subscribers_csv(
        data.encode() if isinstance(data, str) else data,
        where="list.csv",
        columns=columns,
        ignore=ignore,
        take=take,
    )
    people = list(parsed.subscribers)
    return replace(parsed, subscribers=people)
