"""What R says of itself from inside a session of RStudio Server: one file of lines."""

import json
from dataclasses import dataclass
from typing import Final

from sandbox.checks.rstudio_session import NoSession

_CODE: Final = (
    "local({ f <- @FILE@;"
    ' v <- paste(R.version$major, R.version$minor, sep = ".");'
    ' said <- c(paste0("version\\t", v), paste0("home\\t", R.home()),'
    ' paste0("library\\t", .libPaths()), "end");'
    ' writeLines(said, paste0(f, ".part")); invisible(file.rename(paste0(f, ".part"), f)) })'
)
"""One line, as it is typed at the prompt; the file appears whole."""


@dataclass(frozen=True)
class RstudioProof:
    """A session has run, and this is its R."""

    version: str
    home: str
    libraries: tuple[str, ...]
    plain_libraries: tuple[str, ...] | None
    """Those of the same R in a login of the same account; None when nobody asked."""
    elapsed_s: float
    """From the start of the session until R had written this."""


def proof_code(path: str) -> str:
    """Code of R on one line that writes the file; a session's prompt gets it as typed."""
    return _CODE.replace("@FILE@", json.dumps(path))


def parse_proof(text: str, *, elapsed_s: float) -> RstudioProof:
    """Read the file.

    Raises:
        NoSession: it is not whole.
    """
    said: dict[str, list[str]] = {}
    lines = text.splitlines()
    for line in lines:
        key, _, value = line.partition("\t")
        said.setdefault(key, []).append(value)
    if "end" not in said or "version" not in said:
        raise NoSession("what R wrote is not whole")
    return RstudioProof(
        version=said["version"][0],
        home=said.get("home", [""])[0],
        libraries=tuple(said.get("library", ())),
        plain_libraries=tuple(said["plain"]) if "plain" in said else None,
        elapsed_s=elapsed_s,
    )
