"""Engines: what speaks to the providers. Each is imported only when it is asked for."""
