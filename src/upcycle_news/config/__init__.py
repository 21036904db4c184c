"""newsletter.toml and UPCYCLE_NEWS_… as typed settings."""
