"""The delivery engine: leases, pooled SMTP connections, retry rules, guards."""
