"""Sessions of RStudio Server, from inside which R is asked too (rstudio.sh)."""

from collections.abc import Iterator

from sandbox.facts.making import Made, Making, Unsaid
from sandbox.facts.subject import Facts, Subject
from sandbox.facts.subjects.packages import SystemPackages


def _makes(facts: Facts, _: Making) -> Iterator[Made]:
    for one in facts.get(SystemPackages) or ():
        if one.name.startswith("rstudio-"):
            yield Unsaid(f"{one.name} {one.version}")


RSTUDIO = Subject(name="rstudio", rank=135, makes=_makes)
