"""upcycle_news: from essays and feeds to a newsletter in the reader's mailbox."""

__version__ = "0.1.0"
