"""The part `mirrors:` of a box, and of a user's own configuration: where bytes come from."""

import ipaddress
import re
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from sandbox.spec.misfit import misfit
from sandbox.spec.texts import FileName, HttpUrl, Text
from sandbox.spec.values import Model, ProxyOrSecret

_HOST = re.compile(r"\*|(\*?\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?(:[0-9]{1,5})?")
_BRACKETS = re.compile(r"\[([0-9a-fA-F:.]+)\](:[0-9]{1,5})?")

NoProxyEntry = Annotated[Text, Field(min_length=1)]


class AptMirrors(Model):
    """Where the distribution's packages come from, for base images and in the machine."""

    debian: HttpUrl | None = None
    """Base URL of a Debian mirror."""
    debian_security: HttpUrl | None = None
    """Base URL of a mirror of Debian's security archive."""
    ubuntu: HttpUrl | None = None
    """Base URL of an Ubuntu mirror."""


class Mirrors(Model):
    """Servers that stand for public ones, and the way to them. A box's value wins, key by key."""

    apt: AptMirrors = AptMirrors()
    """Where the distribution's packages come from; `system.mirror` stays, and wins for Debian."""
    cran: HttpUrl | None = None
    """Stands for every public CRAN: packagemanager.posit.co/cran, cloud.r-project.org."""
    bioconductor: HttpUrl | None = None
    """Stands for bioconductor.org."""
    posit: HttpUrl | None = None
    """Stands for cdn.posit.co, which has builds of R; the paths below it stay."""
    rstudio: HttpUrl | None = None
    """Stands for download2.rstudio.org and www.rstudio.com."""
    github: HttpUrl | None = None
    """Stands for codeload.github.com and api.github.com."""
    vagrant_boxes: HttpUrl | None = None
    """Stands for the public catalogue of Vagrant boxes."""
    incus_images: HttpUrl | None = None
    """Stands for the public image server of Incus (simplestreams, https)."""
    proxy: ProxyOrSecret | None = None
    """HTTP proxy of this host's own downloads, and of the machine's apt; or `{secret: NAME}`."""
    no_proxy: tuple[NoProxyEntry, ...] = ()
    """What is reached without the proxy: a host, .domain, 10.0.0.0/8, each also with :port."""
    ca_certificates: tuple[FileName, ...] = ()
    """PEM files of authorities to trust besides the system's, relative to the file that says it."""

    @model_validator(mode="after")
    def _can_be_used(self) -> Self:
        for name in self.no_proxy:
            if not is_no_proxy_entry(name):
                cure = "Write a host, .domain or a network such as 10.0.0.0/8"
                raise misfit("no_proxy", "one of its entries names no host and no network", cure)
        if isinstance(self.proxy, str) and has_login(self.proxy):
            cure = "Write `proxy: {secret: NAME}`: the value then comes from NAME=http://USER:…"
            raise misfit("proxy", "a login must not stand in this address", cure)
        for name in AptMirrors.model_fields:
            if has_login(getattr(self.apt, name) or ""):
                cure = "Name a mirror without a login: the machine's apt would keep it in a file"
                raise misfit("apt", f"a login must not stand in the address of `{name}`", cure)
        if self.apt.debian_security is not None and self.apt.debian is None:
            raise misfit("apt", "`debian_security` is there without `debian`", "Add `debian` to it")
        if has_login(self.incus_images or ""):
            cure = "Incus takes none: name a server without a login"
            raise misfit("incus_images", "a login must not stand in this address", cure)
        return self

    @property
    def with_logins(self) -> tuple[str, ...]:
        """The keys whose addresses carry a login."""
        names = ("cran", "bioconductor", "posit", "rstudio", "github", "vagrant_boxes")
        return tuple(name for name in names if has_login(getattr(self, name) or ""))

    def over(self, below: "Mirrors") -> "Mirrors":
        """Return these values, and those of `below` for the keys that are not said here."""
        said = {name: getattr(self, name) for name in self.model_fields_set if name != "apt"}
        said = {name: value for name, value in said.items() if value is not None}
        apt = {n: v for n in AptMirrors.model_fields if (v := getattr(self.apt, n)) is not None}
        said["apt"] = below.apt.model_copy(update=apt)
        return below.model_copy(update=said)


def has_login(url: str) -> bool:
    """Tell whether a URL carries a user's name or a password."""
    try:
        return "@" in urlsplit(url).netloc
    except ValueError:
        return False


def is_no_proxy_entry(text: str) -> bool:
    """Tell whether a text is an entry of `no_proxy` that we understand."""
    if _HOST.fullmatch(text):
        return True
    found = _BRACKETS.fullmatch(text)
    try:
        ipaddress.ip_network(found[1] if found else text, strict=False)
    except ValueError:
        return False
    return True
