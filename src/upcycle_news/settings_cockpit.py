"""The settings of the editors' cockpit: who is asked, who is alarmed, and how long we wait."""

from __future__ import annotations

from pydantic import Field

from upcycle_news.settings_types import Line, Table


class CockpitSettings(Table):
    """`[cockpit]`: the runs that wait for people, and the alarms."""

    editors: Line = Field("", description="The group that is reminded of a waiting approval.")
    operators: Line = Field("", description="The group that gets alarms by mail.")
    approval_hours: float = Field(
        48.0, gt=0, description="How long an issue waits for its approval."
    )
    reminder_hours: float = Field(
        6.0, ge=0, description="So long before the end the editors are reminded; 0: never."
    )
    slow_relay_seconds: float = Field(
        10.0, ge=0, description="A relay is slow when half of its answers take longer; 0: never."
    )
    slow_relay_factor: float = Field(
        5.0, ge=0, description="Or so many times as long as in the five issues before; 0: never."
    )
