"""Words that a box and the command line share; code that needs no model takes them from here."""

from typing import Final, Literal

ProviderName = Literal["virtualbox", "libvirt", "incus"]
BaseSource = Literal["auto", "build", "public"]
"""Where the image of a base comes from: made on this host, or fetched."""
SSH_PORT: Final = 22
"""Of every machine: no server of a box may take it."""
