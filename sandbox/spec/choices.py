"""Words that a box and the command line have in common: from here, whoever needs no model."""

from typing import Literal

ProviderName = Literal["virtualbox", "libvirt", "incus"]
BaseSource = Literal["auto", "build", "public"]
"""Where the image of a base comes from: made on this host, or fetched."""
