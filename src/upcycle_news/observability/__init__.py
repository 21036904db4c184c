"""Structured logging and redaction of addresses and secrets."""
