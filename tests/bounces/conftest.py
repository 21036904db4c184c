from __future__ import annotations

from ..services.delivery.conftest import _postgres, any_store, empty_postgres

__all__ = ["_postgres", "any_store", "empty_postgres"]
