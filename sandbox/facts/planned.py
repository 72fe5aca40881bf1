"""What a box states of a value, and whether a machine's value is that one.

Most of what a box states is a plain value: the machine's must be equal. Some of it is more: a value
that may not be shown, a version of which the box names the beginning, a size that a kernel takes a
part of. Such a value judges by itself, for a check and for a diff alike.
"""

from collections.abc import Iterator, Mapping
from typing import Self

from sandbox.facts import r_value
from sandbox.facts.compare import JudgesByItself, Value
from sandbox.facts.hashes import Hashes
from sandbox.facts.r_value import RValue
from sandbox.facts.shown import hidden, planned_code
from sandbox.plan import Plan
from sandbox.probe.known import harmless
from sandbox.probe.untaken import Verdict, placeholder
from sandbox.spec.values import OptionValue, Secret


class PlannedText(JudgesByItself, str):
    """A text that a box states; as a string, what may be shown of it."""

    planned: str | Secret
    hashes: Hashes

    def __new__(cls, name: str, planned: str | Secret, hashes: Hashes) -> Self:
        """Make one.

        Args:
            name: of the variable or the repository.
            planned: what the box says.
            hashes: by which it is compared where the machine gave no value.
        """
        is_shown = isinstance(planned, Secret) or harmless(name, planned)
        text = str(planned)
        made = super().__new__(
            cls, cls._plain(text) if is_shown else placeholder(text, hashes.hash_key)
        )
        made.planned, made.hashes = planned, hashes
        return made

    @staticmethod
    def _plain(text: str) -> str:
        return text

    def judge(self, actual: Value | None) -> Verdict:
        """Judge whether a machine's value is the one that the box says."""
        if not isinstance(actual, str):
            return "differs"
        return self.hashes.judge(actual, self.planned)


class PlannedUrl(PlannedText):
    """An address: a slash at its end changes nothing."""

    @staticmethod
    def _plain(text: str) -> str:
        return text.rstrip("/")

    def judge(self, actual: Value | None) -> Verdict:
        """Judge whether a machine's address is the one that the box says."""
        if not isinstance(actual, str) or isinstance(self.planned, Secret):
            return super().judge(actual)
        bare = self.planned.rstrip("/")
        spellings = dict.fromkeys((self.planned, bare, f"{bare}/"))
        found = [self.hashes.judge(actual, one) for one in spellings]
        return "equal" if "equal" in found else found[0]


class PlannedCode(JudgesByItself, str):
    """The value of an R option, as code; as a string, what may be shown of it."""

    planned: RValue | Secret
    name: str
    hashes: Hashes

    def __new__(cls, name: str, planned: RValue | Secret, hashes: Hashes) -> Self:
        """Make one; of a secret's value no more is known than that it is one text."""
        shown = (
            str(planned)
            if isinstance(planned, Secret)
            else r_value.as_r_keeps(name, r_value.write(hidden(name, planned, hashes.hash_key)))
        )
        made = super().__new__(cls, shown)
        made.planned, made.name, made.hashes = planned, name, hashes
        return made

    def judge(self, actual: Value | None) -> Verdict:
        """Judge whether an option of R has the value that the box says, its type included."""
        if actual is None:
            # R knows no option that is NULL
            is_null = isinstance(self.planned, RValue) and self.planned.type == "NULL"
            return "equal" if is_null else "differs"
        found = r_value.read(r_value.as_r_keeps(self.name, str(actual)))
        if found is None:
            return "differs"
        if isinstance(self.planned, Secret):
            if found.type != "character" or len(found.values) != 1:
                return "differs"
            return self.hashes.judge(found.values[0] or "", self.planned)
        verdicts = set(self._verdicts(found, self.planned))
        return next((one for one in ("differs", "unknown") if one in verdicts), "equal")

    def _verdicts(self, found: RValue, wanted: RValue) -> Iterator[Verdict]:
        if _shape(found) != _shape(wanted):
            yield "differs"
            return
        for part, planned in zip(found.values, wanted.values, strict=True):
            if part is None or planned is None:
                yield "equal" if part is planned else "differs"
            else:
                yield self.hashes.judge(part, planned)
        for item, planned_item in zip(found.items, wanted.items, strict=True):
            yield from self._verdicts(item, planned_item)


class PlannedVersion(JudgesByItself, str):
    """The version that a machine will have, of a series that the box asks for."""

    series: str

    def __new__(cls, version: str, *, series: str) -> Self:
        """Make one; of the series 4.2 is any 4.2.x."""
        made = super().__new__(cls, version)
        made.series = series
        return made

    def judge(self, actual: Value | None) -> Verdict:
        """Judge whether a machine's version is of that series."""
        if not isinstance(actual, str):
            return "differs"
        is_of_series = actual == self.series or actual.startswith(f"{self.series}.")
        return "equal" if is_of_series else "differs"


class PlannedPackage(JudgesByItself, str):
    """The version of an R package that was fetched for a machine: this very one."""

    def judge(self, actual: Value | None) -> Verdict:
        """Judge whether a machine's package has that version."""
        return "equal" if actual == str(self) else "differs"


def planned_packages(plan: Plan, r_version: str) -> dict[str, PlannedPackage]:
    """Return the packages that were fetched for one R of a plan, by name; none before that."""
    return {
        one.name: PlannedPackage(one.version)
        for one in plan.materials.files
        if one.kind == "r_package" and one.r == r_version
    }


class PlannedNumber(JudgesByItself, float):
    """A size or a limit, with how much less and more of it a machine may have."""

    least: float
    most: float

    def __new__(cls, planned: float, *, least_share: float = 1.0, most_share: float = 1.0) -> Self:
        """Make one; the shares are of what is planned."""
        made = super().__new__(cls, planned)
        made.least, made.most = least_share * planned, most_share * planned
        return made

    def judge(self, actual: Value | None) -> Verdict:
        """Judge whether a machine's number lies within the bounds."""
        if not isinstance(actual, int | float):
            return "differs"
        return "equal" if self.least <= actual <= self.most else "differs"


class PlannedForAll(dict[str, Value]):
    """What a box states of a kind whose other items, where a machine has any, are to be `rest`."""

    def __init__(self, values: Mapping[str, Value], *, rest: Value) -> None:
        super().__init__(values)
        self.rest = rest


def planned_texts(
    values: Mapping[str, str | Secret], hashes: Hashes, of: type[PlannedText] = PlannedText
) -> dict[str, Value]:
    """Return the values that a box states of variables or repositories, by name.

    A secret is left out when nobody remembers which value the machine was given for it.
    """
    return {name: of(name, one, hashes) for name, one in values.items() if hashes.can_tell(one)}


def planned_options(
    values: Mapping[str, OptionValue | Secret], hashes: Hashes
) -> dict[str, PlannedCode]:
    """Return what a box states of R's options. What a function or a call makes, only R can tell."""
    found = {}
    for name, value in values.items():
        if isinstance(value, Secret):
            wanted: RValue | Secret | None = value if hashes.can_tell(value) else None
        else:
            wanted = r_value.read(r_value.as_r_keeps(name, planned_code(value)))
        if wanted is not None:
            found[name] = PlannedCode(name, wanted, hashes)
    return found


def _shape(value: RValue) -> tuple[object, ...]:
    return value.type, value.names, len(value.values), len(value.items)
