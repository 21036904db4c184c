"""DMARC aggregate reports: the files of a mail, opened within bounds, and what they say. Pure."""
