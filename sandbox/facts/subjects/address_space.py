"""How much memory R may ask for, whether it uses that or not: the limit of its address space."""

import re

from sandbox.facts.kind import Consequence, Reading, kind_of_r
from sandbox.facts.part import FactsPart
from sandbox.facts.r_lines import Fields
from sandbox.facts.r_view import RView
from sandbox.facts.subject import Facts, RSaid, Subject
from sandbox.probe.readers import MalformedError

_LINE = re.compile(
    r"Max address space +(?P<soft>unlimited|[0-9]{1,20}) +(unlimited|[0-9]{1,20})( .*)?"
)


class AddressSpace(FactsPart):
    """The limit of one R."""

    soft_bytes: int | None
    """None: there is none."""


def _a_limit(fields: tuple[str, ...], _: str) -> None:
    if _LINE.fullmatch(fields[0]) is None:
        raise MalformedError("the limit of the address space")


def _parse(said: RSaid) -> AddressSpace | None:
    found = _LINE.fullmatch(said.one("address_space"))
    if found is None:
        return None
    return AddressSpace(soft_bytes=None if found["soft"] == "unlimited" else int(found["soft"]))


def _read(view: RView, _: Facts) -> Reading:
    limit = view[AddressSpace].soft_bytes
    return {"": float("inf") if limit is None else float(limit)}


ADDRESS_SPACE = Subject(
    name="address_space",
    rank=74,
    takes="=address_space: Max address space +([0-9]{1,20}|unlimited) +([0-9]{1,20}|unlimited)"
    " +bytes *\n",
    r_part=AddressSpace,
    parse_r=_parse,
    r_lines={"address_space": Fields(1, 1, _a_limit, takes="address_space")},
    kinds=(
        kind_of_r(
            "r.address-space",
            Consequence.FAILS,
            205,
            title="how many bytes R may ask for",
            how="number",
            why="Java, Quarto and Arrow ask for much more than they use, and end at the limit",
            bug="rstudio/rstudio/issues/11710",
            read=_read,
        ),
    ),
)
