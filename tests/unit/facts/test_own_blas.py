"""The BLAS that an R has in its own folder: by what is in it, not by its name."""

import pytest

from sandbox.facts.subjects.blas import OwnBlas, blas
from tests.unit.checks.samples import good

OWN = "/opt/R/4.6.1/lib/R/lib/libRblas.so"
SYSTEM = "/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0"


@pytest.mark.parametrize(
    ("path", "own", "family"),
    [
        (OWN, OwnBlas(family="openblas"), "openblas"),
        (OWN, OwnBlas(family="reference"), "reference"),
        (OWN, None, "reference"),
        # It is there, and not used
        (SYSTEM, OwnBlas(family="openblas"), "reference"),
    ],
)
def test_the_family_of_the_blas_in_use(path: str, own: OwnBlas | None, family: str) -> None:
    facts = good().facts
    view = good().view("login").model_copy(update={"external_software": {"BLAS": path}})
    assert blas(view.with_parts(own) if own is not None else view, facts) == {"": family}
