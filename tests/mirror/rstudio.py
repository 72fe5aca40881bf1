"""The folder with RStudio Server's packages (the tests' stand-in), as the mirror serves it.

The files lie as on the real server: `server/jammy/amd64/rstudio-server-2024.04.2-764-amd64.deb`.
"""

import hashlib
import re
import shutil
from pathlib import Path

_NAME = re.compile(r"rstudio-server-(.+)-(amd64|arm64)\.deb")


def add(folder: Path, deb: Path, version: str, *, of: str = "jammy", arch: str = "amd64") -> Path:
    """Put a .deb where the real server would have this version; `of` is an Ubuntu release."""
    place = folder / f"server/{of}/{arch}/rstudio-server-{version.replace('+', '-')}-{arch}.deb"
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(deb, place)
    return place


def downloads(folder: Path) -> dict[str, object]:
    """Make the index of current versions: of each Ubuntu release the newest one that is there."""
    platforms = {}
    for place in sorted((folder / "server").glob("*/*")):
        newest = max(place.glob("*.deb"), key=lambda path: _numbers(path.name), default=None)
        if newest is None:
            continue
        release, arch = place.parts[-2:]
        version = _version(newest)
        platforms[release if arch == "amd64" else f"{release}-{arch}"] = {
            "label": f"RStudio Server {version} - {release}",
            "url": f"https://download2.rstudio.org/server/{release}/{arch}/{newest.name}",
            "basename": newest.name,
            "version": version,
            "sha256": hashlib.sha256(newest.read_bytes()).hexdigest(),
        }
    stable = {"server": {"installer": platforms}}
    return {"rstudio": {"open_source": {"stable": stable}}}


def _version(deb: Path) -> str:
    """Return the version with the `+` that file names have as `-`."""
    found = _NAME.fullmatch(deb.name)
    return found.group(1).replace("-", "+", 1) if found else ""


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))
