"""Subscriber lists, consent policy, signed links and their keys."""
