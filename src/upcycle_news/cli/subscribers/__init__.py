"""`upcycle-news subscribers …`: lists, personal data, suppressions."""
