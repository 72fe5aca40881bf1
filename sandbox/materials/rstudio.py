"""The package of RStudio Server: where it is, whether it is what it says, and what it needs.

Its makers publish a checksum for the present version only. Of an older one the first download is
trusted, and said to be; from then on the store has its checksum.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sandbox.architecture import debian_architecture
from sandbox.errors import BoxError
from sandbox.fetch.addresses import RSTUDIO_DOWNLOADS, RSTUDIO_SITE
from sandbox.fetch.errors import AbsentFileError, FetchError
from sandbox.obtained import Materials, Obtained
from sandbox.plan import Plan
from sandbox.spec.rstudio_version import is_version

if TYPE_CHECKING:
    from sandbox.fetch.fetcher import Fetcher

INDEX_URL: Final = f"{RSTUDIO_SITE}/wp-content/downloads.json"
"""Their present versions, with checksums."""
MAX_INDEX_BYTES: Final = 4 * 1024 * 1024
MAX_DEB_BYTES: Final = 2 * 1024**3
PACKAGE: Final = "rstudio-server"

_FOLDERS: Final = {"bullseye": ("focal",), "bookworm": ("jammy",), "jammy": ("jammy",)}
"""By the base's release: which OpenSSL a build needs decides where it runs."""
_FOLDERS_OF_NEWER: Final = ("jammy", "noble")
"""noble had one version only; the later ones are under jammy again."""
_PLAIN: Final = re.compile(r"\s*([a-z0-9][a-z0-9+.-]+)(:any)?\s*(\([^)]*\))?\s*")


def obtain(plan: Plan, fetcher: "Fetcher", tell: Callable[[str], None]) -> Materials:
    """Fetch the package that the box asks for, and see that it is that one.

    Args:
        plan: what the machine is to be.
        fetcher: gets files into this host's store.
        tell: told what the user must know of it.

    Raises:
        FetchError: it cannot be fetched, or is another package.
        BoxError: there is no such version for the base.
    """
    rstudio = plan.services.rstudio_server
    if rstudio is None:
        return Materials()
    architecture = debian_architecture()
    urls = deb_urls(rstudio.version, plan.base.suite, architecture)
    is_known = any(fetcher.store.noted(url) is not None for url in urls)
    sha256 = None if is_known else _published(fetcher, urls)
    try:
        found = fetcher.obtain(
            urls,
            sha256=sha256,
            max_bytes=MAX_DEB_BYTES,
            looks_wrong=lambda path: why_wrong(path, rstudio.version, architecture),
        )
    except AbsentFileError as error:
        raise BoxError(
            f"there is no RStudio Server {rstudio.version} for {plan.base.name} on {architecture}",
            details="\n".join((error.message, *urls)),
            hint="choose another `version` of rstudio_server, or another base",
        ) from error
    if sha256 is None and not is_known:
        tell(
            f"RStudio Server {rstudio.version}: no checksum is published for this version, so this"
            f" first download is trusted (sha256 {found.sha256}); from now on it must be the same"
        )
    return Materials(
        files=(
            Obtained(
                kind="rstudio",
                name=PACKAGE,
                version=rstudio.version,
                file_name=deb_name(rstudio.version, architecture),
                url=found.url,
                sha256=found.sha256,
                size_bytes=found.size_bytes,
            ),
        ),
        debian_packages=needs_of(found.path),
    )


def deb_name(version: str, architecture: str) -> str:
    """The package's file: `rstudio-server-2024.12.0-467-amd64.deb`."""
    return f"{PACKAGE}-{version.replace('+', '-')}-{architecture}.deb"


def deb_urls(version: str, suite: str, architecture: str) -> tuple[str, ...]:
    """Where the package may be, the likeliest place first."""
    folders = _FOLDERS.get(suite, _FOLDERS_OF_NEWER)
    name = deb_name(version, architecture)
    return tuple(f"{RSTUDIO_DOWNLOADS}/server/{one}/{architecture}/{name}" for one in folders)


def _published(fetcher: "Fetcher", urls: tuple[str, ...]) -> str | None:
    """The checksum that its makers publish for one of these files; None where they do not."""
    try:
        index = json.loads(fetcher.read(INDEX_URL, max_bytes=MAX_INDEX_BYTES))
        found = dict(_sums(index))
    except (FetchError, ValueError, TypeError, AttributeError):
        # A mirror need not have it: then it is as for an older version
        return None
    return next((found[url] for url in urls if url in found), None)


def _sums(index: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401  (JSON from elsewhere)
    installers = index["rstudio"]["open_source"]["stable"]["server"]["installer"]
    for one in installers.values():
        url, sha256 = one.get("url"), one.get("sha256")
        if isinstance(url, str) and re.fullmatch(r"[0-9a-f]{64}", str(sha256)):
            yield url.replace("%2B", "-").replace("+", "-"), str(sha256)


def why_wrong(deb: Path, version: str, architecture: str) -> str:
    """Say why a file is not this package; empty when it is."""
    control = _control(deb)
    if control is None:
        return "it is no Debian package"
    name, found = control.get("Package", ""), control.get("Version", "")
    if name != PACKAGE or not is_version(found, version):
        return f"it is {name or 'a package without a name'} {found}".rstrip()
    built_for = control.get("Architecture", "")
    if built_for not in {architecture, "all"}:
        return f"it is for {built_for}, and this host is {architecture}"
    return ""


def needs_of(deb: Path) -> tuple[str, ...]:
    """List the Debian packages that a package needs, sorted.

    Those with alternatives are left to apt, which knows what the base has.
    """
    control = _control(deb) or {}
    wanted = [_PLAIN.fullmatch(one) for one in control.get("Depends", "").split(",")]
    return tuple(sorted({one[1] for one in wanted if one is not None}))


def _control(deb: Path) -> Mapping[str, str] | None:
    """What a package says of itself; None for what is no package."""
    from debian.arfile import ArError
    from debian.debfile import DebFile

    try:
        with DebFile(str(deb)) as file:
            return dict(file.debcontrol())
    except (ArError, OSError, EOFError, ValueError, KeyError):
        return None
