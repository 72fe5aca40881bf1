"""Small packages that the tests make themselves, for what no package of Debian shows."""

from pathlib import Path

from tests.mirror.tarballs import description_in, pack

_DESCRIPTION = """\
Package: {name}
Version: {version}
Title: {title}
Description: Made by the tests of sandbox: {title}.
Authors@R: person("Sandbox", "Tests", role = c("aut", "cre"), email = "tests@example.org")
Author: Sandbox Tests [aut, cre]
Maintainer: Sandbox Tests <tests@example.org>
License: MIT + file LICENSE
NeedsCompilation: {compiled}
Packaged: 2020-09-13 12:26:40 UTC; tests
Repository: CRAN
Date/Publication: 2020-09-13 12:30:00 UTC
"""

_CALLOC = """\
#include <R.h>
#include <Rinternals.h>
#include <R_ext/RS.h>

/* Calloc and Free without R_ before them are gone from R 4.5 on */
SEXP first_number(void) {
  int *numbers = Calloc(4, int);
  int first = numbers[0];
  Free(numbers);
  return ScalarInteger(first);
}
"""

_OLD_R = """\
#include <Rversion.h>
#include <Rinternals.h>
#if R_VERSION >= R_Version(4, 1, 0)
#error "this package was written for R 4.0 and compiles on no newer one"
#endif
SEXP one(void) { return ScalarInteger(1); }
"""


def source(
    name: str, version: str, title: str, *, c: str = "", depends: str = "", r: str = ""
) -> bytes:
    """Make a package's source tarball."""
    description = _DESCRIPTION.format(
        name=name, version=version, title=title, compiled="yes" if c else "no"
    )
    code = r or f'version_of_{name.replace(".", "_")} <- function() "{version}"\n'
    files = [
        (f"{name}/DESCRIPTION", (description + depends).encode()),
        (f"{name}/LICENSE", b"YEAR: 2026\nCOPYRIGHT HOLDER: the authors of sandbox\n"),
        (f"{name}/NAMESPACE", _namespace(name, compiled=bool(c)).encode()),
        (f"{name}/R/code.R", code.encode()),
    ]
    if c:
        files.append((f"{name}/src/code.c", c.encode()))
    return pack(files)


def _namespace(name: str, *, compiled: bool) -> str:
    return 'exportPattern("^[a-z]")\n' + (f"useDynLib({name})\n" if compiled else "")


def write_all(folder: Path) -> None:
    """Write the packages, each below the release of Debian with which it appears."""
    chain = "Imports: chainlast\n"
    of_suite = {
        "bullseye": (
            # Compiles on R 4.0 and 4.2, not on 4.5
            source("oldcalloc", "1.0.0", "C Code That Uses Calloc", c=_CALLOC),
            # Compiles on R 4.0 alone
            source("needsoldr", "1.0.0", "C Code for R 4.0", c=_OLD_R),
            # Leaves CRAN between the two days of June 2023
            source("vanished", "1.0.0", "A Package That Leaves CRAN"),
            # A chain in pure R
            source("chainlast", "1.0.0", "The End of a Chain"),
            source("chainmiddle", "1.0.0", "The Middle of a Chain", depends=chain),
            source("chainfirst", "1.0.0", "The Start of a Chain", depends="Imports: chainmiddle\n"),
        ),
        "trixie": (source("chainlast", "1.1.0", "The End of a Chain"),),
    }
    for suite, packages in of_suite.items():
        place = folder / "own" / suite / "tests"
        place.mkdir(parents=True, exist_ok=True)
        for package in packages:
            described = description_in(package)
            path = place / f"{described.name}_{described.version}.tar.gz"
            path.write_bytes(package)
