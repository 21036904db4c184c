"""A server that was started again has forgotten whoever was connected."""

from __future__ import annotations

import math
import time
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

IDLE_SECONDS = 1.0


def mind_restarts(engine: Engine) -> None:
    """Look whether a connection that lay in the pool still stands, and connect anew if it does not.

    Only after `IDLE_SECONDS`: a sender in full swing would pay a round trip for each commit. So a
    reader who leaves after a restart is heard at the first click.
    """

    @event.listens_for(engine, "checkin")
    def left(_connection: Any, record: Any) -> None:
        record.info["left_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def taken(connection: Any, record: Any, _proxy: Any) -> None:
        # A new connection was never left.
        if time.monotonic() - record.info.get("left_at", math.inf) < IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            raise InvalidatePoolError from None
