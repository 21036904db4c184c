"""Queue, send, retry and account for the deliveries of an issue.

A *worker* is a process that is registered in the store as sending an issue.

- `send`: queue an issue and deliver it; one run uses this process and, for a long list, more.
- `worker_job`: send an issue with the connections of one process, in this process or another.
- `worker_pool`: start and supervise the further processes of a run.
- `worker_process`: the program that such a process runs.
- `worker_identity`: register a process as a worker, and tell whether a worker is alive.
- `drain`: ask the workers of this machine to stop, and wait for them.
- `stop_signals`: notice SIGTERM, Ctrl-C and SIGHUP.
- `latency`, `relay_health`: time a relay's replies, and tell whether it has become slow.
- `lateness`: issues that are too late, and sends that make no progress.
"""
