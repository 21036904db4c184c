"""SMTP: connections, replies, outcomes of an attempt, probing a relay, the development mailbox."""
