"""The authorities to trust, in one file: for programs that fetch by themselves."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sandbox.fetch.routes import Routes

_SYSTEM: Final = Path("/etc/ssl/certs/ca-certificates.crt")


@contextmanager
def authorities_file(routes: Routes) -> Iterator[Path | None]:
    """Yield a file with this host's authorities and the user's; None where the user names none.

    Everybody may read it, and it lies in no private folder: apt reads it as another user.
    """
    if not routes.ca_files:
        yield None
        return
    system = Path(ssl.get_default_verify_paths().cafile or _SYSTEM)
    with tempfile.NamedTemporaryFile(prefix="sandbox-authorities-", suffix=".pem") as file:
        for path in (system, *routes.ca_files):
            if path.is_file():
                file.write(path.read_bytes() + b"\n")
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        yield Path(file.name)
