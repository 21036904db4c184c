"""Posts of the organisation's own site that became essays, or could not: each is handed on once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import insert, select, update

from upcycle_news.storage.database import Store
from upcycle_news.storage.schema import collected_posts

PostState = Literal["draft", "pushed", "refused"]


@dataclass(frozen=True)
class CollectedPost:
    """A post as it was collected last; `source` and `post_key` identify it.

    `state`: its draft lies under var/ ("draft"), on a branch ("pushed"), or it could not become an
    essay ("refused"). `name` is the draft's, the stem of its file. `digest` is that of the post, `text`
    the essay's file as it was handed on, without the pictures at the addresses in `lacking`. `gone`: it was told that the site no longer has it.
    """

    source: str
    post_key: str
    canonical: str
    title: str
    name: str
    state: PostState
    digest: str
    text: str
    collected_at: datetime
    branch_commit: str = ""
    lacking: tuple[str, ...] = ()
    gone: bool = False


def read_all(store: Store) -> tuple[CollectedPost, ...]:
    """Return all posts, in the order in which they were collected first."""
    with store.reading() as connection:
        rows = connection.execute(select(collected_posts).order_by(collected_posts.c.id)).all()
    return tuple(
        CollectedPost(
            **{key: value for key, value in row._mapping.items() if key not in ("id", "lacking")},
            lacking=tuple(row.lacking),
        )
        for row in rows
    )


def save(store: Store, post: CollectedPost) -> None:
    """Remember a post, or what became of it since."""
    table, values = collected_posts, asdict(post)
    with store.writing() as connection:
        changed = connection.execute(
            update(table)
            .where(table.c.source == post.source, table.c.post_key == post.post_key)
            .values(**values)
        )
        if not changed.rowcount:
            connection.execute(insert(table).values(**values))
