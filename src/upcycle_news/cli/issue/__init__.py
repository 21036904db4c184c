"""`upcycle-news issue …`, one module a command."""
