"""A hundred packages of R: our installer against `install.packages(Ncpus = 2)` of the same files.

Both work in the same container, of two processors, and find the files on its disk. Ours is what
the role `r_library` runs: it verifies and unpacks or compiles, loads each package once, compares
the library with the list and swaps it in. R's own reads a repository of `file://`.
"""

import json
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import typer

from bench.measure import Series, Table, ratio, timed
from bench.package_files import ROOT, Package, hundred, kept_folder
from bench.place import gone_after, incus, name, sandbox

_BOX = """\
version: 1
base: debian-12
machine: {cpus: 2, memory_mb: 3072, disk_gb: 8}
r: {}
system: {packages: [build-essential, gfortran]}
"""
_INSTALLER = ROOT / "playbooks/roles/r_library/files"
_AT = "/root/bench"
_COUNT = int(os.environ.get("SANDBOX_BENCH_PACKAGES") or "100")
"""The first of them need none of the others."""
_REPOSITORY = """\
mkdir -p {at}/{kind}.repo/src && ln -sfn {at}/{kind} {at}/{kind}.repo/src/contrib
R --no-echo --vanilla -e 'tools::write_PACKAGES("{at}/{kind}")'
"""
_PACK = """\
mkdir -p {at}/binary && cd {at}/ours
for each in */DESCRIPTION; do
  package=${{each%/*}}
  version=$(sed -n 's/^Version: *//p' "$each")
  tar -czf "{at}/binary/${{package}}_$version.tar.gz" "$package"
done
tar -C /root -cf /root/binary.tar bench/binary
"""
_THEIRS = """\
install.packages(readLines("{at}/names"), lib = "{at}/theirs", repos = "file://{at}/{kind}.repo",
  type = "source", Ncpus = 2)
missing <- setdiff(readLines("{at}/names"), rownames(installed.packages("{at}/theirs")))
if (length(missing)) stop("not installed: ", toString(missing))
"""


@dataclass(frozen=True)
class Machine:
    """The container, with the files in it."""

    name: str
    packages: tuple[Package, ...]

    def run(self, *words: str) -> str:
        """Run a command as root in it."""
        return incus("exec", self.name, "--cwd=/root", "--", *words).stdout

    def send(self, archive: Path) -> None:
        """Unpack a tar file of this host in it."""
        incus("file", "push", "-q", str(archive), f"{self.name}/root/sent.tar")
        self.run("tar", "-C", "/root", "-xf", "/root/sent.tar")

    def forget(self) -> None:
        """Remove both libraries, and let the disk come to rest."""
        script = "rm -rf $0/ours $0/theirs && mkdir $0/theirs && sync"
        self.run("sh", "-c", script, _AT)

    def ours(self, kind: str) -> None:
        """Run the installer of the role."""
        self.run("python3", f"{_AT}/installer/install_library.py", f"{_AT}/{kind}.json")

    def theirs(self, kind: str) -> None:
        """Run R's own."""
        self.run("R", "--no-echo", "--vanilla", "-e", _THEIRS.format(at=_AT, kind=kind))

    def write_order(self, kind: str, r: str) -> None:
        """Write the list that the installer works from."""
        sums = self.run("sh", "-c", "cd $0 && sha256sum *.tar.gz", f"{_AT}/{kind}").split()
        sha256 = dict(zip(sums[1::2], sums[::2], strict=True))
        order = {
            "r": r,
            "program": "/usr/lib/R/bin/R",
            "library": f"{_AT}/ours",
            "materials": f"{_AT}/{kind}",
            "logs": f"{_AT}/logs",
            "files": [
                one.entry(sha256[one.file_name], is_binary=kind == "binary")
                for one in self.packages
            ],
        }
        with tempfile.TemporaryDirectory(prefix="sandbox-bench-") as scratch:
            path = Path(scratch) / "order.json"
            path.write_text(json.dumps(order), encoding="utf-8")
            incus("file", "push", "-q", str(path), f"{self.name}{_AT}/{kind}.json")


@contextmanager
def _machine() -> Iterator[Machine]:
    """A container with R, compilers and the source packages."""
    machine = Machine(name("packages"), hundred()[:_COUNT])
    with gone_after(machine.name), tempfile.TemporaryDirectory(prefix="sandbox-bench-") as scratch:
        box = Path(scratch) / "packages.yml"
        box.write_text(_BOX, encoding="utf-8")
        sandbox("up", str(box), "--name", machine.name, "--no-checks")
        sent = Path(scratch) / "sent.tar"
        names = Path(scratch) / "names"
        names.write_text("".join(f"{one.name}\n" for one in machine.packages), encoding="utf-8")
        with tarfile.open(sent, "w") as tar:
            tar.add(names, "bench/names")
            for script in sorted(_INSTALLER.glob("*.py")):
                tar.add(script, f"bench/installer/{script.name}")
            for one in machine.packages:
                tar.add(one.path, f"bench/source/{one.file_name}")
        machine.send(sent)
        yield machine


def _prepare(machine: Machine, kind: str) -> None:
    """Bring the files of this kind into place; binaries are made there once, of the sources."""
    r = re.findall(r"R version (\S+)", machine.run("R", "--version"))[0]
    machine.write_order("source", r)
    if kind == "binary":
        kept = kept_folder() / f"binary-{r}.tar"
        if kept.is_file():
            machine.send(kept)
        else:
            machine.forget()
            machine.ours("source")
            machine.run("sh", "-c", _PACK.format(at=_AT))
            incus("file", "pull", "-q", f"{machine.name}/root/binary.tar", str(kept))
        machine.write_order("binary", r)
    machine.run("sh", "-c", _REPOSITORY.format(at=_AT, kind=kind))


def _compare(kind: str, title: str, runs: int) -> Table:
    mine, peer = Series("our installer"), Series("install.packages(Ncpus = 2)")
    with _machine() as machine:
        _prepare(machine, kind)
        for number in range(1, runs + 1):
            # No turn that is not counted: the files were just written, and are in memory
            for series, action in ((mine, machine.ours), (peer, machine.theirs)):
                machine.forget()
                series.values.append(timed(lambda action=action: action(kind)))  # type: ignore[misc]
            said = f"{mine.values[-1]:.1f} s, {peer.values[-1]:.1f} s"
            typer.echo(f"  turn {number} of {runs}: {said}", err=True)
        of_cran = sum(one.is_of_cran for one in machine.packages)
        compiled = sum(one.is_compiled for one in machine.packages)
        own = len(machine.packages) - of_cran
    notes = [
        ratio(mine, peer),
        f"{of_cran} packages of CRAN, from Debian's source packages, and {own} small ones made for"
        f" this; {compiled} of the {len(machine.packages)} have code to compile.",
        "Ours counts the checksums, the loading of every package, the comparison with the list and"
        " the swap. R's own does not verify; it loads each source package once, and no binary one.",
    ]
    return Table(title, [mine, peer], notes)


def binaries(runs: int) -> Table:
    """A hundred packages that are compiled already."""
    return _compare("binary", f"{_COUNT} packages of R as binaries", runs)


def sources(runs: int) -> Table:
    """The same packages from their sources; at most three turns, for each takes minutes."""
    return _compare("source", f"{_COUNT} packages of R from source", min(runs, 3))
