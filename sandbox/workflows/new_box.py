"""`sandbox init`: write a box for the apps of a folder, as a person would begin it."""

import json
import os
import re
import shlex
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.app_files import TooMuchError, UnreadableError
from sandbox.errors import UsageError
from sandbox.files import hand_over
from sandbox.paths import data_dir, homes
from sandbox.r_code.app import AppCode, app_kind, read_app
from sandbox.r_code.documents import read_document
from sandbox.r_code.lock_file import LockFile, read_lock_file
from sandbox.r_code.uses import Need
from sandbox.spec.base_models import Base
from sandbox.spec.bases import Bases, gives_r, load_bases
from sandbox.spec.problem import printable, short
from sandbox.spec.r_packages import R_ITSELF, RPackageIndex, index_of
from sandbox.spec.root import Root, real

_DEFAULT_BASE: Final = "debian-12"
_MOST_FOLDERS: Final = 2_000
_DEEPEST: Final = 3
_SKIPPED: Final = frozenset({"renv", "packrat", "tests", "node_modules", "rsconnect"})
_MAX_NAME: Final = 40
_MAX_APP_NAME: Final = 63
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9_./-]+\Z")
_MAX_DOCUMENT_BYTES: Final = 1_000_000


@dataclass(frozen=True)
class FoundApp:
    """An app of the folder, and the packages that its code asks for."""

    name: str
    folder: Path
    code: AppCode


@dataclass(frozen=True)
class NewBox:
    """A box that was written."""

    path: Path
    apps: tuple[FoundApp, ...]
    packages: tuple[str, ...]
    """The packages that the box names."""
    not_there: tuple[str, ...]
    """Packages that the apps ask for and the base does not have."""
    lock_file: LockFile | None


def write_new_box(app_dir: Path, output: Path | None, *, cwd: Path, force: bool = False) -> NewBox:
    """Look through a folder for apps, and write a box that serves them.

    Raises:
        UsageError: there is no app, no such folder, or the file is there already.
    """
    folder = real(cwd / app_dir)
    if not folder.is_dir():
        raise UsageError(f"there is no folder {short(cwd / app_dir)}", hint="name the app's folder")
    if folder == Path("/") or any(home.is_relative_to(folder) for home in homes()):
        raise UsageError(
            f"{short(folder)} holds a home folder: that is more than an app",
            hint="name the app's own folder: sandbox init APPDIR",
        )
    apps = tuple(_apps(folder))
    if not apps:
        raise UsageError(
            f"there is no app in {'this folder' if folder == real(cwd) else short(folder)}",
            details="an app is a folder with app.R, or server.R, or an .Rmd with `runtime: shiny`",
            hint="name its folder: sandbox init APPDIR; a machine with an example app: "
            "sandbox up shiny",
        )
    path = _place(folder, output, cwd)
    if os.path.lexists(path) and not force:
        raise UsageError(
            f"{short(path)} is there already, and nothing was written",
            hint=f"another file: sandbox init {shlex.quote(str(app_dir))} -o FILE; "
            "--force replaces it",
        )
    lock_file = read_lock_file(folder) or next(
        (found for app in apps if (found := read_lock_file(app.folder))), None
    )
    base = _base(lock_file, load_bases())
    index = index_of(base.name)
    box = _NewBoxDraft(path, apps, lock_file, base, index)
    try:
        hand_over(path, box.text())
    except OSError as error:
        raise UsageError(
            f"{short(path)} cannot be written: {error.strerror}", hint="name another file with -o"
        ) from error
    return NewBox(path, apps, box.packages, box.not_there, lock_file)


def _apps(folder: Path) -> Iterator[FoundApp]:
    taken = set[str]()
    for place in _app_folders(folder):
        stem = (
            re.sub(r"[^A-Za-z0-9_-]+", "-", _ascii(place.name)).strip("-_")[:_MAX_APP_NAME] or "app"
        )
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem[: _MAX_APP_NAME - 4]}-{number}"
        taken.add(name)
        try:
            yield FoundApp(name, place, read_app(place))
        except (TooMuchError, UnreadableError) as error:
            raise UsageError(
                f"the app in {short(place)} cannot be copied: {printable(str(error))}",
                hint="list files that the machine does not need in .sandboxignore",
            ) from error


def _app_folders(folder: Path) -> Iterator[Path]:
    """The folder itself if it is an app; else the apps below it, not too deep."""
    if _is_app(folder):
        yield folder
        return
    if app_kind(folder) == "documents" and not any(_below(folder)):
        yield folder
        return
    yield from _below(folder)


def _below(folder: Path) -> Iterator[Path]:
    waiting, seen = [(folder, 0)], 0
    while waiting and seen < _MOST_FOLDERS:
        place, depth = waiting.pop(0)
        seen += 1
        try:
            inside = sorted(one for one in place.iterdir() if one.is_dir() and not one.is_symlink())
        except OSError:
            continue
        for one in inside:
            if one.name.startswith(".") or one.name in _SKIPPED:
                continue
            if _is_app(one):
                yield one
            elif depth + 1 < _DEEPEST:
                waiting.append((one, depth + 1))


def _is_app(folder: Path) -> bool:
    kind = app_kind(folder)
    return kind == "shiny" or (kind == "documents" and any(map(_is_shiny, folder.iterdir())))


def _is_shiny(path: Path) -> bool:
    if path.suffix.lower() != ".rmd" or not path.is_file():
        return False
    with path.open("rb") as stream:
        return read_document(stream.read(_MAX_DOCUMENT_BYTES).decode("utf-8", "replace")).is_shiny


def _place(folder: Path, output: Path | None, cwd: Path) -> Path:
    """Where the box goes: here if it may read the apps from here, else next to the apps."""
    if output is not None:
        return cwd / output
    name = f"{box_name(folder.name)}.yml"
    root = Root.of(cwd / name).folder
    is_here = root is not None and folder.is_relative_to(root)
    return (cwd if is_here else folder) / name


def box_name(folder_name: str) -> str:
    """Make a name for a box and its sandbox from a folder's name."""
    name = re.sub(r"[^a-z0-9]+", "-", _ascii(folder_name).lower()).strip("-")
    name = name if name[:1].isalpha() else f"app-{name}".strip("-")
    name = name[:_MAX_NAME].strip("-")
    shipped = {path.stem for path in data_dir("boxes").glob("*.yml")}
    return f"{name}-app" if name in shipped else name


def _ascii(name: str) -> str:
    """A name without its accents: Ärzte becomes Arzte."""
    return unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()


def _base(lock_file: LockFile | None, bases: Bases) -> Base:
    """The base with the R that the lock file names, if there is one; else the usual one."""
    wanted = ".".join(lock_file.r_version.split(".")[:2]) if lock_file else ""
    fitting = [one for one in bases.values() if "shiny_server" in one.offers]
    with_r = [one for one in fitting if wanted and gives_r(one, wanted)]
    return (with_r or [bases[_DEFAULT_BASE]])[0]


class _NewBoxDraft:
    def __init__(
        self,
        path: Path,
        apps: Sequence[FoundApp],
        lock_file: LockFile | None,
        base: Base,
        index: RPackageIndex | None,
    ) -> None:
        self._path, self._apps, self._lock, self._base = path, apps, lock_file, base
        asked = dict[str, Need]()
        for app in apps:
            for one in app.code.uses:
                asked[one.package] = max(one.use.need, asked.get(one.package, Need.MAY))
        asked = {name: need for name, need in asked.items() if name not in R_ITSELF}
        known = [name for name in asked if index is None or index.has(name)]
        sure = {name for name in known if asked[name] is not Need.MAY}
        self.packages = tuple(sorted({"shiny", *sure}, key=str.lower))
        self.not_there = tuple(sorted(set(asked) - set(known), key=str.lower))
        self._perhaps = tuple(sorted(set(known) - set(self.packages), key=str.lower))

    def text(self) -> str:
        base = self._base
        apps = _listed([app.name for app in self._apps])
        lines = [
            f"# A box for {apps}; `sandbox validate` checks it,",
            "# `sandbox up` makes a machine of it. All keys: docs/boxes.md, `sandbox schema`.",
            "",
            "version: 1",
            f"description: {_text(f'R and Shiny Server with {apps}')}",
            f"# The operating system, and R with it: {base.description}",
            f"base: {base.name}",
            "",
            "# Really set: the machine cannot take more, whatever runs in it",
            "machine: {cpus: 2, memory_mb: 2048, disk_gb: 20}",
            "",
            "system:",
            "  # As on your production server: there, Sys.timezone() and Sys.getlocale() tell",
            "  timezone: Etc/UTC",
            "  locale: en_US.UTF-8",
            "  # Set for every login, every R, and inside Shiny apps; secrets as {secret: NAME}",
            "  # environment: {SALES_DB: staging}",
            "",
            "r:",
            f'  version: "{".".join(base.r_version.split(".")[:2])}"',
            "  packages:",
            *self._package_lines(),
            "",
            "services:",
            "  shiny_server: {port: 3838}",
            "",
            "# Served at /NAME/. Paths are relative to this file",
            "apps:",
            *(f"  - {{name: {app.name}, path: {self._path_of(app)}}}" for app in self._apps),
        ]
        return "\n".join((*lines, *self._lock_lines())) + "\n"

    def _package_lines(self) -> Iterator[str]:
        yield "    # What the apps' code asks for; from Debian, with all that these need themselves"
        joined = ", ".join(self.packages)
        yield from textwrap.wrap(
            f"names: [{joined}]", 96, initial_indent=" " * 4, subsequent_indent=" " * 6
        )
        if self._perhaps:
            words = f"Asked for, and perhaps not needed: {', '.join(self._perhaps)}"
            yield from _comment(words, indent=4)
        if self.not_there:
            words = f"{self._base.name} does not have, so a box cannot ask for them: "
            yield from _comment(words + ", ".join(self.not_there), indent=4)

    def _path_of(self, app: FoundApp) -> str:
        path = os.path.relpath(app.folder, real(self._path.parent))
        return path if _PLAIN_PATH.match(path) else _text(path)

    def _lock_lines(self) -> Iterator[str]:
        lock = self._lock
        if lock is None:
            return
        yield ""
        if lock.problem:
            yield from _comment(f"renv.lock could not be read: {printable(lock.problem)}")
            return
        r = f"R {lock.r_version}" if lock.r_version else "no version of R"
        has = f"this box has R {self._base.r_version}"
        yield from _comment(f"renv.lock names {r} ({has}) and {len(lock.packages)} packages.")
        yield from _comment(
            "A sandbox has R's and the packages' versions of its base, tested together by Debian; "
            "these cannot be pinned yet:"
        )
        words = [" ".join(filter(None, (one.name, one.version))) for one in lock.packages]
        yield from _comment(", ".join(words))


def _comment(words: str, *, indent: int = 0) -> list[str]:
    lead = f"{' ' * indent}# "
    return textwrap.wrap(
        words,
        98,
        initial_indent=lead,
        subsequent_indent=lead,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _listed(names: Sequence[str]) -> str:
    few = 4
    more = f" and {len(names) - few} more" if len(names) > few else ""
    return f"{', '.join(names[:few])}{more}"


def _text(words: str) -> str:
    """A text between quotes, valid in JSON and so in YAML."""
    return json.dumps(words, ensure_ascii=False)
