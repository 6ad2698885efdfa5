"""Encrypted connections."""

from distributed.security import Security


def security(ca, cert, key):
    """What Dask wants to know: everybody on this cluster, in whatever role, has one certificate and its key."""
    roles = {f"tls_{role}_{what}": file for role in ("client", "scheduler", "worker") for what, file in (("cert", cert), ("key", key))}
    return Security(require_encryption=True, tls_ca_file=ca, **roles)
