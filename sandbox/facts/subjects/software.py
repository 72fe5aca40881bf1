"""The libraries inside R: ICU, PCRE, zlib and the like."""

from collections.abc import Mapping
from typing import Any

from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.r_lines import Fields, named
from sandbox.facts.r_view import RView
from sandbox.facts.subject import Facts, RSaid, Subject


def _fields(said: RSaid) -> Mapping[str, Any]:
    return {"external_software": said.table("software")}


def software(view: RView, _: Facts) -> Reading:
    """List the libraries that R itself is linked to."""
    named = {k: v for k, v in view.external_software.items() if k not in ("BLAS", "TRE") and v}
    return {name: value.split()[0] for name, value in named.items()}


_TAKES = (
    "=software: (OpenSSL|libcurl|GNU libiconv|glibc|zlib|PCRE2?|readline|BLAS|ICU"
    "|TRE)? ?[0-9]{1,4}([.][0-9]{1,4})*[a-z]{0,4}(,"
    " [0-9]{1,2}-[A-Z][a-z][a-z]-[0-9]{4}| [0-9]{4}-[0-9]{2}-[0-9]{2}| R_fixes"
    " [(]BSD[)])?\n"
    "version path: software\n"
)
SOFTWARE = Subject(
    name="software",
    rank=62,
    takes=_TAKES,
    r_lines={"software": Fields(2, 2, named, takes="name,software")},
    r_fields=_fields,
    kinds=(
        kind_of_r(
            "r.software",
            Consequence.ANSWERS,
            150,
            title="a library inside R",
            how="version",
            why="ICU decides how strings sort, PCRE what a pattern matches",
            bug="tidyverse/dplyr/issues/325",
            read=software,
        ),
    ),
)
