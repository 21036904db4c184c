"""`python -m upcycle_news` is the command line."""

from upcycle_news.cli import main

if __name__ == "__main__":
    main()
