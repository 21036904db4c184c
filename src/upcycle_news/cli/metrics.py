"""`upcycle-news metrics`: the metrics without the web server."""

from __future__ import annotations

import typer

from upcycle_news.cli.output import open_publication


def metrics() -> None:
    """Print the figures of /metrics, such as for the textfile collector of node_exporter.

    Example: upcycle-news metrics > /var/lib/node_exporter/upcycle_news.prom
    """
    with open_publication() as app:
        typer.echo(app.monitoring.metrics().decode(), nl=False)
