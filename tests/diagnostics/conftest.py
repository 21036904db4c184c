from __future__ import annotations

from ..services.delivery.conftest import _postgres, empty_postgres

__all__ = ["_postgres", "empty_postgres"]
