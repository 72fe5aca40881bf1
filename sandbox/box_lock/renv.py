"""A lock's R packages as an renv.lock, of format 1, which every renv reads."""

import json
import re
from collections.abc import Sequence
from typing import Final

from sandbox.box_lock.model import LockedFile, MachineLock
from sandbox.errors import UsageError

_BIOCONDUCTOR: Final = re.compile(r"/packages/([0-9]+\.[0-9]+)/(bioc|data|workflows)/")
_SOURCES: Final = {
    "github": "GitHub",
    "gitlab": "GitLab",
    "bitbucket": "Bitbucket",
    "git": "git",
    "git2r": "git",
    "url": "URL",
}
_CRAN: Final = "https://cloud.r-project.org"


def renv_lock(
    machine: MachineLock, r_version: str, *, repository: str | None = None, date: str | None = None
) -> str:
    """Write the renv.lock of one R.

    Args:
        machine: the lock.
        r_version: which R.
        repository: where its packages came from, when the box names that.
        date: the repository's date.

    Raises:
        UsageError: no package of that R is locked as a file, or one is only in a folder here.
    """
    packages = [one for one in machine.files if one.kind == "r_package" and one.r == r_version]
    if not packages:
        raise UsageError(
            f"no packages of R {r_version} can go into an renv.lock: it has none, or Debian's own",
            details="a package of Debian's (r-cran-*) is another build, which renv cannot restore",
            hint="`r.packages.source: repository` or `renv` in the box",
        )
    local = [one.name for one in packages if not one.url.startswith(("https://", "http://"))]
    if local:
        raise UsageError(
            f"{', '.join(local)}: from a folder of this box, where renv cannot get it",
            hint="put it on a server or on GitHub, and let the box take it from there",
        )
    url = (repository or _CRAN).rstrip("/") + (f"/{date}" if date else "")
    content: dict[str, object] = {
        "R": {"Version": r_version, "Repositories": [{"Name": "CRAN", "URL": url}]},
        **_bioconductor(packages),
        "Packages": {one.name: _record(one) for one in sorted(packages, key=lambda one: one.name)},
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _bioconductor(packages: Sequence[LockedFile]) -> dict[str, object]:
    found = (_BIOCONDUCTOR.search(one.url) for one in packages)
    version = next((one[1] for one in found if one is not None), "")
    return {"Bioconductor": {"Version": version}} if version else {}


def _record(one: LockedFile) -> dict[str, object]:
    remote = dict(one.remote)
    source = _SOURCES.get(remote.get("RemoteType", ""), "")
    if _BIOCONDUCTOR.search(one.url):
        source = "Bioconductor"
    record: dict[str, object] = {
        "Package": one.name,
        "Version": one.version,
        "Source": source or "Repository",
    }
    if not source:
        record["Repository"] = "CRAN"
    return record | remote | {"Requirements": ["R", *one.needs]}
