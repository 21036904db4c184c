"""How an issue gets there: messages, SMTP, replies. Knows no essay, no consent and no SQL."""
