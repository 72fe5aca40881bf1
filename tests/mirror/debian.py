"""Get CRAN's own tarballs and Debian's R packages from the Debian mirror that this host's apt uses.

apt is asked with a configuration and lists of its own, in a temporary folder: the host's lists
stay as they are, and no root is needed. apt checks the signature of each release, and its helper
checks the sha256 of each file that it downloads.

The source package of `r-cran-foo` holds CRAN's tarball, byte for byte, as `.orig.tar.gz`. Where
Debian had to leave something out (`+dfsg`), the bytes are Debian's: see `sources.py`.

A mirror may lack some files (most do not carry the sources of Debian 11 for ever). A missing source
is left out; a missing binary package is an error.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from debian.deb822 import Deb822

from sandbox.images.sources import KEYRING, host_archives

SUITES = ("bullseye", "bookworm", "trixie")
"""Debian 11, 12 and 13, oldest first."""

_HELPER = Path("/usr/lib/apt/apt-helper")


class NoMirrorError(Exception):
    """This host's apt cannot give what the tests' mirror is made of."""


@dataclass(frozen=True)
class Wanted:
    """A file that a suite's signed index names."""

    suite: str
    package: str
    """Debian's name: of the source package or of the binary one."""
    url: str
    file_name: str
    sha256: str


class Apt:
    """apt with the host's mirror and proxy, and with lists that are its own."""

    def __init__(self, folder: Path, uri: str) -> None:
        self._folder = folder
        self._uri = uri.rstrip("/")

    def update(self) -> None:
        """Download and verify the indexes of all suites."""
        done = self._ask(("apt-get", "update", "-qq"))
        if done.returncode != 0:
            raise NoMirrorError(f"apt-get update failed:\n{done.stderr}")

    def sources(self, suite: str, names: Iterable[str]) -> Iterator[Wanted]:
        """Yield the upstream tarball of each of these source packages that the suite has."""
        for stanza in self._stanzas("Sources", suite, names):
            for line in stanza["Checksums-Sha256"].strip().split("\n"):
                sha256, _, file_name = line.split()
                if ".orig.tar." in file_name and not file_name.endswith(".asc"):
                    url = f"{self._uri}/{stanza['Directory']}/{quote(file_name)}"
                    yield Wanted(suite, stanza["Package"], url, file_name, sha256)

    def binaries(self, suite: str, names: Iterable[str]) -> Iterator[Wanted]:
        """Yield the .deb of each of these packages that the suite has."""
        for stanza in self._stanzas("Packages", suite, names):
            path = stanza["Filename"]
            url = f"{self._uri}/{quote(path)}"
            yield Wanted(suite, stanza["Package"], url, Path(path).name, stanza["SHA256"])

    def download(self, wanted: Iterable[Wanted], folder: Path) -> dict[Wanted, Path]:
        """Download the files; those that the mirror lacks are missing in the answer."""
        places = {file: folder / file.suite / file.file_name for file in wanted}
        words: list[str] = []
        for file, place in places.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            words += [file.url, str(place), f"SHA256:{file.sha256}"]
        # Its exit code says only that one of them failed; which one, the folder says
        self._ask((str(_HELPER), "download-file", *words))
        return {file: place for file, place in places.items() if place.is_file()}

    def _stanzas(self, kind: str, suite: str, names: Iterable[str]) -> Iterator[Deb822]:
        """Read an index itself: apt-cache would first sort all of it, which takes a minute."""
        columns = "$(CREATED_BY) $(RELEASE) $(FILENAME)"
        listed = self._ask(("apt-get", "indextargets", "--format", columns)).stdout.splitlines()
        (path,) = (line.split()[2] for line in listed if line.startswith(f"{kind} {suite} "))
        heads = {f"Package: {name}" for name in names}
        index = self._ask((str(_HELPER), "cat-file", path)).stdout
        for text in index.split("\n\n"):
            if text.partition("\n")[0] in heads:
                yield Deb822(text)

    def _ask(self, argv: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "APT_CONFIG": str(self._folder / "apt.conf"), "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            argv, env=env, capture_output=True, text=True, timeout=300, check=False
        )  # fmt: skip


@contextmanager
def private_apt() -> Iterator[Apt]:
    """Yield an apt that knows the three suites of this host's Debian mirror."""
    uri = _mirror()
    with tempfile.TemporaryDirectory(prefix="sandbox-mirror-apt-") as name:
        folder = Path(name)
        for inside in ("lists/partial", "cache/archives/partial", "etc", "sources.d"):
            (folder / inside).mkdir(parents=True)
        (folder / "status").touch()
        for suite in SUITES:
            text = (
                f"Types: deb deb-src\nURIs: {uri}\nSuites: {suite}\nComponents: main\n"
                f"Signed-By: {KEYRING}\n"
            )
            (folder / f"sources.d/{suite}.sources").write_text(text, encoding="utf-8")
        (folder / "apt.conf").write_text(_configuration(folder), encoding="utf-8")
        yield Apt(folder, uri)


def _mirror() -> str:
    if not _HELPER.exists():
        raise NoMirrorError("the tests' mirror is made with apt, which this host lacks")
    for archive in host_archives():
        if archive.component == "main" and archive.suite in (*SUITES, "stable", "oldstable"):
            return archive.uri
    raise NoMirrorError("this host's apt knows no Debian mirror")


def _configuration(folder: Path) -> str:
    """Write apt's configuration: the host's proxies and timeouts, nothing else of the host."""
    dump = subprocess.run(
        ("apt-config", "dump"), capture_output=True, text=True, timeout=30, check=True
    ).stdout
    kept = [
        line
        for line in dump.splitlines()
        if line.startswith("Acquire::") and "::IndexTargets" not in line
    ]
    return "\n".join((
        *kept,
        'Acquire::Languages "none";',
        'Acquire::GzipIndexes "true";',
        'APT::Sandbox::User "";',
        f'Dir::State "{folder}";',
        'Dir::State::lists "lists";',
        f'Dir::State::status "{folder}/status";',
        f'Dir::Cache "{folder}/cache";',
        f'Dir::Etc "{folder}/etc";',
        'Dir::Etc::sourcelist "/dev/null";',
        f'Dir::Etc::sourceparts "{folder}/sources.d";',
        "",
    ))  # fmt: skip
