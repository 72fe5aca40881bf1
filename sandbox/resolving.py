"""Turn a box into a plan: every default said, every file found and fingerprinted."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sandbox.app_files import TooMuchError, UnreadableError, app_files
from sandbox.errors import BoxError
from sandbox.fingerprint import digest_of
from sandbox.plan import Plan, PlannedApp, RInput
from sandbox.servers import wanted
from sandbox.spec.load import LoadedBox
from sandbox.spec.mirrored import with_mirrors
from sandbox.spec.mirrors import Mirrors
from sandbox.spec.models import App, Box
from sandbox.spec.plumber import PlumberApi
from sandbox.spec.problem import printable, short
from sandbox.spec.r import InstalledR
from sandbox.spec.r_fits import packages_place, r_places
from sandbox.spec.r_packages import R_ITSELF


def resolve(loaded: LoadedBox, user_mirrors: Mirrors | None = None) -> Plan:
    """Freeze a box into a plan. Reads only app folders (for fingerprints) and certificates.

    Args:
        loaded: the box.
        user_mirrors: what the user says for all boxes; the box's own values win.

    Raises:
        BoxError: an app's folder or a certificate cannot be read.
    """
    box = loaded.box
    own = _own_mirrors(loaded)
    mirrors = (own or Mirrors()).over(user_mirrors or Mirrors())
    certificates = _certificates(loaded, "system", box.system.ca_certificates)
    if not certificates:
        certificates = tuple(Path(name) for name in mirrors.ca_certificates)
    return Plan(
        box_name=loaded.name,
        box_path=loaded.path,
        box_files=loaded.files,
        box_root=loaded.named_root,
        description=box.description,
        base=loaded.base,
        providers=box.providers,
        machine=box.machine,
        system=with_mirrors(box.system, mirrors, loaded.base),
        mirrors=own,
        r=box.r,
        services=box.services,
        apps=tuple(
            _planned_app(loaded, app, ("apps", index)) for index, app in enumerate(box.apps)
        ),
        apis=tuple(_planned_apis(loaded)),
        users=box.users,
        budget=box.checks.budget,
        check_files=tuple(
            loaded.file_at("checks", "files", index) for index in range(len(box.checks.files))
        ),
        production=loaded.file_at("production") if box.production is not None else None,
        r_inputs=tuple(_r_inputs(loaded)),
        accept=box.accept,
        ca_certificates=certificates,
        ca_sha256=tuple(
            _digest([path], path.parent, loaded.place_of("system", "ca_certificates"))
            for path in certificates
        ),
        apt_packages=tuple(sorted({*_apt_packages(box), *loaded.base.packages})),
    )


def _own_mirrors(loaded: LoadedBox) -> Mirrors | None:
    said = loaded.box.mirrors
    if said is None:
        return None
    files = _certificates(loaded, "mirrors", said.ca_certificates)
    return said.model_copy(update={"ca_certificates": tuple(map(str, files))} if files else {})


def _certificates(loaded: LoadedBox, part: str, names: Sequence[str]) -> tuple[Path, ...]:
    return tuple(loaded.file_at(part, "ca_certificates", index) for index in range(len(names)))


def _planned_apis(loaded: LoadedBox) -> Iterator[PlannedApp]:
    plumber = loaded.box.services.plumber
    for loc, api in plumber.placed if plumber is not None else ():
        yield _planned_app(loaded, api, loc)


def _planned_app(
    loaded: LoadedBox, app: App | PlumberApi, loc: tuple[str | int, ...]
) -> PlannedApp:
    folder = loaded.file_at(*loc, "path")
    place = loaded.place_of(*loc, "path")
    try:
        found = app_files(folder, include=app.include, max_mb=app.max_mb)
    except (TooMuchError, UnreadableError) as error:
        raise BoxError(
            f"{place}: the app {app.name} cannot be copied to a machine",
            details=printable(str(error)),
            hint="sandbox validate says more",
        ) from error
    return PlannedApp(
        name=app.name,
        path=folder,
        sha256=_digest(found.taken, folder, place),
        include=app.include,
        max_mb=app.max_mb,
    )


def _r_inputs(loaded: LoadedBox) -> Iterator[RInput]:
    r = loaded.box.r
    for place, one in r_places(r) if r is not None else ():
        said = {"renv": "lock", "folder": "folder"}
        name = said.get(one.packages.source) if one.packages is not None else None
        if r is None or name is None:
            continue
        loc = (*packages_place(r, place), name)
        version = one.version if one.source == "posit" and one.version else loaded.base.r_version
        path, place_of_it = loaded.file_at(*loc), loaded.place_of(*loc)
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        sha256 = _digest(files, path.parent, place_of_it)
        yield RInput(r=version, path=path, place=place_of_it, sha256=sha256)


def _digest(files: Iterable[Path], folder: Path, place: str) -> str:
    """Hash over what the files hold.

    Raises:
        BoxError: a file cannot be read; `place` is where the box names it.
    """
    try:
        return digest_of(files, folder)
    except OSError as error:
        raise BoxError(
            f"{place}: {short(Path(error.filename or folder))} cannot be read: {error.strerror}",
            hint="see who may read it: ls -l",
        ) from error


def _apt_packages(box: Box) -> set[str]:
    """Every Debian package that the box needs, by its name in the releases of our bases."""
    # Nothing is left to what a base image happens to have, or to Recommends: those stay out
    packages = {"ca-certificates", "tzdata", *box.system.packages}
    if box.system.locale not in {"C", "POSIX", "C.UTF-8"}:
        packages.add("locales")
    r = box.r
    for server in wanted(box.services):
        packages.update(server.packages)
        if r is not None and r.default.source == "debian":
            packages.update(server.debian_r_packages)
    if r is not None:
        # Without a font, cairo draws every glyph of a plot as the same empty box
        packages.add("fonts-dejavu-core")
        for one in r.installed:
            packages |= _of_r(one)
        # Named in both cases: a machine with the other one is changed (back) to this one
        blas = {"openblas": ("libopenblas0-pthread",), "reference": ("libblas3", "liblapack3")}
        packages.update(blas[r.blas])
    return packages


def _of_r(one: InstalledR) -> set[str]:
    """Debian packages of one R."""
    names = one.packages.names if one.packages is not None else ()
    packages = {"pandoc"} if "rmarkdown" in names else set()
    if one.source == "debian":
        packages |= {"r-base-core"}
        if one.packages is not None and one.packages.source == "debian":
            packages |= {f"r-cran-{name.lower()}" for name in names if name not in R_ITSELF}
    return packages
