"""SPF, DKIM, DMARC, MX and PTR of the sender domain: queries and their evaluation."""
