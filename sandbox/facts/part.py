"""What every part of the facts is built on, and what holds parts that are found by their type."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, Self, TypeVar, overload

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    InstanceOf,
    ModelWrapValidatorHandler,
    RootModel,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError


class FactsModel(BaseModel):
    """Base of all that stands in the facts."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class FactsPart(FactsModel):
    """Base of what one subject knows of a machine."""


Value = TypeVar("Value")


class ValuePart(RootModel[Value], Generic[Value]):
    """Base of a part that is a bare value in JSON."""

    model_config = ConfigDict(frozen=True)

    def __eq__(self, other: object) -> bool:
        """Like its bare value: a box's own checks may compare it with one."""
        return self.root == (other.root if isinstance(other, ValuePart) else other)

    def __hash__(self) -> int:
        return hash(self.root)


Item = TypeVar("Item")


class ListPart(ValuePart[tuple[Item, ...]], Generic[Item]):
    """Base of a part that is a bare list in JSON."""

    def __iter__(self) -> Iterator[Item]:  # type: ignore[override]
        return iter(self.root)

    def __len__(self) -> int:
        return len(self.root)

    @overload
    def __getitem__(self, at: int) -> Item: ...

    @overload
    def __getitem__(self, at: slice) -> tuple[Item, ...]: ...

    def __getitem__(self, at: int | slice) -> Item | tuple[Item, ...]:
        return self.root[at]


P = TypeVar("P", bound=BaseModel)


class NotSeenError(LookupError):
    """A part that these facts do not have; says why."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key} was not seen: {why}")
        self.key = key
        self.why = why


class PartsHolder(FactsModel):
    """Facts of which each subject has a part: typed by the part's class, flat in JSON."""

    parts: tuple[InstanceOf[BaseModel], ...] = Field(default=(), exclude=True)
    """Of what was seen; in JSON each stands under its subject's name."""

    @classmethod
    def part_models(cls) -> Mapping[str, type[BaseModel]]:
        """Name in JSON to the part's class, in order."""
        raise NotImplementedError

    @classmethod
    def required_parts(cls) -> frozenset[str]:
        """Return the names of the parts without which nothing is believed."""
        return frozenset()

    def __getitem__(self, part: type[P]) -> P:
        found = self.get(part)
        if found is None:
            names = (key for key, model in self.part_models().items() if model is part)
            key = next(names, part.__name__)
            raise NotSeenError(key, self.why(key) or "it was not there")
        return found

    def get(self, part: type[P]) -> P | None:
        """Return the part of that class; None when it was not seen, or is not there."""
        return next((one for one in self.parts if type(one) is part), None)

    def why(self, what: str) -> str:  # noqa: ARG002  (who knows more says more)
        """Say why something was not seen; empty when nobody says."""
        return ""

    def with_parts(self, *parts: BaseModel) -> Self:
        """Return the same facts with other parts, each in place of the one of its class."""
        models = list(self.part_models().values())
        new = {type(one): one for one in (*self.parts, *parts)}
        order = sorted(new.values(), key=lambda one: models.index(type(one)))
        return self.model_copy(update={"parts": tuple(order)})

    def without(self, *parts: type[BaseModel]) -> Self:
        """Return the same facts, as if these parts had not been seen."""
        kept = tuple(one for one in self.parts if type(one) not in parts)
        return self.model_copy(update={"parts": kept})

    @model_validator(mode="wrap")
    @classmethod
    def _gathered(cls, data: object, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Flat JSON as parts."""
        if not isinstance(data, dict) or isinstance(data.get("parts"), tuple):
            return handler(data)
        models = cls.part_models()
        rest = {key: value for key, value in data.items() if key not in models}
        parts: list[BaseModel] = []
        problems: list[InitErrorDetails] = []
        if "parts" in rest:
            # No JSON has a tuple: it is a file's own word
            problems.append(InitErrorDetails(type="extra_forbidden", loc=("parts",), input=data))
        for key, model in models.items():
            value = data.get(key)
            if value is None:
                if key in cls.required_parts():
                    problems.append(InitErrorDetails(type="missing", loc=(key,), input=data))
                continue
            try:
                parts.append(model.model_validate(value))
            except ValidationError as error:
                problems += _problems(error, key)
        try:
            made = handler({**rest, "parts": tuple(parts)})
        except ValidationError as error:
            problems = [*_problems(error), *problems]
        else:
            if not problems:
                return made._without_news([key for key in models if key not in data])
        raise ValidationError.from_exception_data(cls.__name__, problems)

    def _without_news(self, names: Sequence[str]) -> Self:  # noqa: ARG002
        """The same, saying that these names were not known when it was written."""
        return self

    @model_serializer(mode="wrap")
    def _flat(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The parts among the other fields."""
        found = handler(self)
        held = {type(one): one for one in self.parts}
        last = {key: found.pop(key) for key in self.last_in_json() if key in found}
        flat = {key: held.get(model) for key, model in self.part_models().items()}
        return {**found, **flat, **last}

    @classmethod
    def last_in_json(cls) -> tuple[str, ...]:
        """Return the names of the fields that stand behind the parts."""
        return ()


def _problems(error: ValidationError, *key: str) -> Iterator[InitErrorDetails]:
    """The problems of a part as those of the whole."""
    for one in error.errors(include_url=False):
        # Braces would be taken for names of what is to be put in
        text = one["msg"].replace("{", "(").replace("}", ")")
        kind = PydanticCustomError(one["type"], text)
        yield InitErrorDetails(type=kind, loc=(*key, *one["loc"]), input=one["input"])
