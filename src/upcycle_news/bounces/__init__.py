"""Incoming mail: the inbox, bounce reports, signed envelope senders (VERP), soft-bounce scores."""
