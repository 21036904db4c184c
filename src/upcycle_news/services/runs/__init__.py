"""The steps of an issue as flow runs take them: once a scheduled time, repeatable, resumable.

- `admission`: which issue a run is about, and whether it may work on it.
- `steps`: compose, render, test mails, approval and queue of one run.
- `deliver`: delivery with progress for Prefect's pages.
- `pending`: the issues that have something to deliver.
"""
