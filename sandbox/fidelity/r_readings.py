"""Reading R's facts into values that can be compared."""

import re
from pathlib import PurePosixPath

from sandbox.fidelity.compare import Value
from sandbox.fidelity.kind import CannotReadError, NotThereError, Reading
from sandbox.probe import r_value
from sandbox.probe.facts import Facts, Limit, RView

_UMASK_OF_ROOT = "0022"
# Of one login or one process, or told by another kind of fact
SESSION_VARIABLES = re.compile(
    r"HOME|USER|LOGNAME|USERNAME|MAIL|PWD|OLDPWD|SHLVL|_|TERM|SHELL|HOSTNAME|MOTD_SHOWN|LS_COLORS"
    r"|SSH_.*|XDG_.*|DBUS_.*|SUDO_.*|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_.*|MANAGERPID|NOTIFY_SOCKET"
    r"|R_SESSION_TMPDIR|TMPDIR|R_HOME|R_LIBS_USER|LANG|LANGUAGE|LC_.*|TZ|BASH_.*|which_declare"
    r"|RS_.*|RSTUDIO_.*|SHINY_.*|WORKER_ID|LOG_FILE|MEMORY_PRESSURE_.*|https?_proxy|no_proxy"
    r"|HTTPS?_PROXY|NO_PROXY|ftp_proxy|[A-Z]*_THREADS|R_(BROWSER|PDFVIEWER|PRINTCMD|UNZIPCMD|ZIPCMD)"
    r"|R_(TEXI2DVICMD|GZIPCMD|BZIPCMD|PAPERSIZE.*|RD4PDF|ARCH|PLATFORM|DOC_DIR|INCLUDE_DIR)"
    r"|R_(SHARE_DIR|STRIP_.*|SYSTEM_ABI)|EDITOR|PAGER|SED|TAR|MAKE|LN_S"
)
_PROXIES = re.compile(r"(https?|no|ftp)_proxy", re.IGNORECASE)
_THREADS = re.compile(r"[A-Z]*_THREADS|OMP_.*|OPENBLAS_.*|MKL_.*|GOTO_.*")
# How R shows things to a person, and where its helpers are: no result depends on them
COSMETIC_OPTIONS = re.compile(
    r"browser|editor|pager|pdfviewer|mailer|papersize|printcmd|dvipscmd|texi2dvi|unzip|prompt|continue"
    r"|echo|verbose|menu\.graphics|locatorBell|internet\.info|HTTPUserAgent|bitmapType|device.*|demo\.ask"
    r"|example\.ask|help\..*|rl_word_breaks|defaultPackages|citation\.bibtex\.max|str|str\.dendrogram\.last"
)
_SHOWN_CATEGORIES = ("LC_COLLATE", "LC_CTYPE", "LC_TIME", "LC_NUMERIC", "LC_MONETARY")
_BLAS = (
    ("openblas", "openblas"),
    ("flexiblas", "flexiblas"),
    ("atlas", "atlas"),
    ("mkl", "mkl"),
    ("blis", "blis"),
    ("librblas", "R's own"),
    ("blas", "reference"),
)


def locale(view: RView, _: Facts) -> Reading:
    """The categories that change results."""
    return {
        name: normal_locale(view.locale[name]) for name in _SHOWN_CATEGORIES if name in view.locale
    }


def normal_locale(name: str) -> str:
    """`en_US.UTF-8` and `en_US.utf8` are the same locale."""
    return re.sub(r"\.utf-?8$", ".UTF-8", name, flags=re.IGNORECASE)


def sorting(view: RView, _: Facts) -> Reading:
    """sort() of four letters."""
    return {"": " ".join(view.sort_probe)}


def encoding(view: RView, _: Facts) -> Reading:
    """What R takes text for."""
    return {"": "UTF-8" if view.l10n.utf8 else "Latin-1" if view.l10n.latin1 else "not UTF-8"}


def timezone(view: RView, _: Facts) -> Reading:
    """Sys.timezone()."""
    return {"": normal_zone(view.timezone) if view.timezone else "NA"}


def normal_zone(name: str) -> str:
    """UTC has many names."""
    return "UTC" if name.removeprefix("Etc/") in ("UTC", "UCT", "Universal", "Zulu") else name


def version(view: RView, _: Facts) -> Reading:
    """R's version."""
    return {"": view.version}


def home(view: RView, _: Facts) -> Reading:
    """Where R is."""
    return {"": view.home}


def blas(view: RView, _: Facts) -> Reading:
    """Which family of libraries does linear algebra."""
    path = view.external_software.get("BLAS") or view.la_library
    if not path:
        raise CannotReadError("this R does not say which BLAS it uses")
    return {"": blas_family(path)}


def blas_family(path: str) -> str:
    """`openblas`, `reference`, …, by the path of the library."""
    lower = path.lower()
    return next((family for word, family in _BLAS if word in lower), path)


def lapack(view: RView, _: Facts) -> Reading:
    """LAPACK's version."""
    return {"": view.la_version} if view.la_version else {}


def random_numbers(view: RView, _: Facts) -> Reading:
    """RNGkind()."""
    return {"": ", ".join(view.rng_kind)} if view.rng_kind else {}


def options(view: RView, _: Facts) -> Reading:
    """Options that change results or what code does."""
    return {
        name: r_value.as_r_keeps(name, code)
        for name, code in view.options.items()
        if not COSMETIC_OPTIONS.fullmatch(name)
    }


def packages(view: RView, _: Facts) -> Reading:
    """The version that library() would load, of those that are not R's own."""
    return {name: package.version for name, package in loaded_packages(view).items()}


def loaded_packages(view: RView) -> dict[str, "_Package"]:
    """Package by name: of several, the one in the first library."""
    found: dict[str, _Package] = {}
    order = {path: at for at, path in enumerate(view.lib_paths)}
    for one in sorted(view.packages, key=lambda one: order.get(one.library, len(order))):
        if one.priority != "base" and one.name not in found:
            found[one.name] = _Package(one.version, one.library, one.remote, one.built)
    return found


class _Package:
    """What counts of an installed package."""

    def __init__(self, version: str, library: str, remote: str | None, built: str) -> None:
        self.version = version
        self.library = library
        self.remote = remote
        self.built = built


def installed(view: RView, _: Facts) -> Reading:
    """Which packages there are."""
    return dict.fromkeys(loaded_packages(view), "installed")


def remotes(view: RView, _: Facts) -> Reading:
    """Where packages came from that are from no repository."""
    return {name: one.remote for name, one in loaded_packages(view).items() if one.remote}


def built(view: RView, _: Facts) -> Reading:
    """Packages that were built for another R than this one (by its first two numbers)."""
    ours = _series(view.version)
    wrong = {
        f"{n} ({p.built})" for n, p in loaded_packages(view).items() if _series(p.built) != ours
    }
    return {"": frozenset(wrong)}


def _series(number: str) -> str:
    return ".".join(number.split(".")[:2])


def personal(view: RView, _: Facts) -> Reading:
    """Packages that library() takes from a person's own library."""
    return {
        "": frozenset(
            f"{name} {one.version}"
            for name, one in loaded_packages(view).items()
            if _is_personal(one.library)
        )
    }


def _is_personal(library: str) -> bool:
    return library.startswith(("/home/", "/root/", "/Users/")) or "-library/" in library


def libraries(view: RView, _: Facts) -> Reading:
    """.libPaths(), in order, without those of a person."""
    paths = [str(PurePosixPath(path)) for path in view.lib_paths if not _is_personal(path)]
    return {"": ":".join(paths)}


def environment(view: RView, _: Facts) -> Reading:
    """Variables that code may read; those of a session or of a login left out."""
    return {
        name: _plain_path(value) if name == "PATH" else _without_home(value, view)
        for name, value in view.environment.items()
        if not SESSION_VARIABLES.fullmatch(name) and not _PROXIES.fullmatch(name)
    }


def _plain_path(value: str) -> str:
    """Without what root's path has and a person's has not, or the other way round."""
    return ":".join(
        folder for folder in value.split(":") if not folder.endswith(("/sbin", "/games"))
    )


def _without_home(value: str, view: RView) -> str:
    home_folder = view.environment.get("HOME")
    return value.replace(home_folder, "~") if home_folder and len(home_folder) > 1 else value


def proxies(view: RView, _: Facts) -> Reading:
    """Proxy settings."""
    return {
        name.lower(): value
        for name, value in view.environment.items()
        if _PROXIES.fullmatch(name) and value
    }


def threads(view: RView, _: Facts) -> Reading:
    """What limits the threads of BLAS and OpenMP."""
    return {name: value for name, value in view.environment.items() if _THREADS.fullmatch(name)}


def repos(view: RView, _: Facts) -> Reading:
    """Where install.packages() gets packages."""
    return {name: url.rstrip("/") for name, url in view.repos.items()}


def capabilities(view: RView, _: Facts) -> Reading:
    """What this R can do, without what needs a display at the moment."""
    return {
        name: "yes" if can else "no"
        for name, can in view.capabilities.items()
        if can is not None and name not in ("X11", "aqua", "cledit", "profmem")
    }


def software(view: RView, _: Facts) -> Reading:
    """Libraries that R itself is linked to."""
    named = {k: v for k, v in view.external_software.items() if k not in ("BLAS", "TRE") and v}
    return {name: value.split()[0] for name, value in named.items()}


def temporary(view: RView, _: Facts) -> Reading:
    """Whether a script in tempdir() can be run."""
    if view.tempdir_exec is None:
        raise CannotReadError("R could not try it")
    return {"": "can be run" if view.tempdir_exec else "cannot be run"}


def plots(view: RView, _: Facts) -> Reading:
    """Whether a plot can be drawn, with real letters."""
    if view.graphics.error is not None:
        return {"": f"fails: {view.graphics.error}"}
    if not view.graphics.png_written:
        return {"": "writes an empty file"}
    return {"": "real letters" if view.graphics.real_glyphs else "boxes for letters"}


def picture(view: RView, _: Facts) -> Reading:
    """A checksum of two drawn letters."""
    return {"": view.graphics.picture} if view.graphics.picture else {}


def umask(view: RView, _: Facts) -> Reading:
    """What new files may not be."""
    if view.seen_by == "login" and view.user == "root" and view.umask == _UMASK_OF_ROOT:
        # Where pam_umask works, Debian 13 for one, people with a group of their own have another
        raise NotThereError("it was seen as root, whose umask is not other people's")
    return {"": view.umask}


def limits(view: RView, _: Facts) -> Reading:
    """Soft limits; unlimited is more than anything."""
    found: dict[str, Value] = {}
    if view.limits.nofile is not None:
        found["nofile"] = _soft(view.limits.nofile)
    return found


def processes(view: RView, _: Facts) -> Reading:
    """How many processes; the kernel makes it from the machine's memory when nobody sets it."""
    return {"": _soft(view.limits.nproc)} if view.limits.nproc is not None else {}


def _soft(limit: Limit) -> float:
    return float("inf") if limit.soft is None else float(limit.soft)


def loads(view: RView, _: Facts) -> Reading:
    """Packages that were tried and do not load."""
    if not view.loads:
        raise NotThereError("no package was tried")
    return {"": frozenset(one.name for one in view.loads if not one.ok)}


def startup(view: RView, _: Facts) -> Reading:
    """Whether R starts with its site files."""
    return {"": "fails" if view.startup_error else "starts"}
