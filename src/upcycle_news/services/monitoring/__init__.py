"""Metrics, alert rules and notifications."""
