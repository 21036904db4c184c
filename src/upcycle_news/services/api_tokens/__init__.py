"""Tokens of the HTTP API: made, checked, revoked."""
