"""Outgoing webhooks: programs elsewhere are told of events, signed, in order, at least once."""
