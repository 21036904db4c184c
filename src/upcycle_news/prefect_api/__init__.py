"""Prefect's REST API, schedules and process environment; the only package that knows Prefect."""
