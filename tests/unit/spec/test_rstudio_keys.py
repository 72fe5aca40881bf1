"""The product's list of RStudio's keys against the one that the stand-in has."""

from sandbox.spec.rstudio_keys import Standing, rstudio_file
from tests.standin.files.standin.keys import MULTI, RSERVER, RSESSION, RSESSION_INTERNAL


def names(section: str, *standings: Standing) -> set[str]:
    return {
        one.name
        for one in rstudio_file(section).keys.values()
        if one.standing in standings and one.last is None
    }


def test_keys_of_the_server() -> None:
    ours = names("rserver", Standing.KNOWN, Standing.OURS)
    assert ours == set(RSERVER)
    assert {one for one in ours if rstudio_file("rserver").keys[one].many} == set(MULTI)


def test_keys_of_sessions() -> None:
    assert names("rsession", Standing.KNOWN) == set(RSESSION)
    for key in RSESSION_INTERNAL:
        found = rstudio_file("rsession").find(key)
        assert found is not None, key
        assert found.standing is Standing.INTERNAL, key
