"""SMTP on the wire: sessions, replies, probes, the development mailbox."""
