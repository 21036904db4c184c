"""How much soft bounces weigh. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta


def score(times: Iterable[datetime], *, now: datetime, half_life: timedelta) -> float:
    """Each soft bounce counts one when it comes and half of it after every `half_life`."""
    ages = (max(now - at, timedelta()) / half_life for at in times)
    return sum(math.pow(0.5, age) for age in ages)
