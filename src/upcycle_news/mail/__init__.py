"""RFC 5322 messages: headers, MIME parts, DKIM signatures, dot-stuffing."""
