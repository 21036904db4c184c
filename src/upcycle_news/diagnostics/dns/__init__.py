"""SPF, DKIM, DMARC, MX and PTR of the sender domain: look-ups and verdicts."""
