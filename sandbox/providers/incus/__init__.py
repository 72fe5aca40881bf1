"""Incus: system containers on this machine, on a remote server or on a cluster."""
