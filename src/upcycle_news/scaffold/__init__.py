"""What `upcycle-news init` lays out: files of its own and those of the project."""
