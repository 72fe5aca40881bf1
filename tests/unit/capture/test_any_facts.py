"""Whatever the probe may say of a server: the box made of it is one that `sandbox up` takes."""

import types
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.capture.write_box import write_box
from sandbox.facts import r_value
from sandbox.facts.facts import Facts
from sandbox.facts.making import Room
from sandbox.facts.part import FactsModel, ValuePart
from sandbox.facts.r_view import RView
from sandbox.facts.shown import planned_code
from sandbox.facts.subjects.locale import box_locale
from sandbox.facts.subjects.options import _NOT_TO_SET, _R_DEFAULTS
from sandbox.facts.subjects.r import RInstallations
from sandbox.probe.untaken import HashKey, placeholder, without_hash
from sandbox.resolving import resolve
from sandbox.spec.bases import load_bases
from sandbox.spec.load import load_box
from sandbox.spec.values import Secret
from tests.unit.changed_facts import with_named
from tests.unit.checks.samples import good

FACTS = good().facts
_KEY = HashKey("00112233445566778899aabbccddeeff")
_HIDDEN = placeholder("geheim", _KEY)
# What servers have been seen to say, and what a damaged one may
_SEEN = (
    "en_US.utf8", "en_US.UTF-8", "de_DE@euro", "de_DE.iso885915@euro", "C", "C.utf8", "POSIX",
    "en_US", "UTF-8", "LC_CTYPE=C;LC_NUMERIC=C", "Europe/Vienna", "Etc/UTC", "posix/Europe/Rome",
    ":/etc/localtime", "CET-1CEST", "Mars/Olympus", "shiny", "data.table", "R6", "x.", "A",
    "r-cran-shiny", "libpq-dev", "g++", "X", "rstudio-server", "digits", "my.option", ".x", "_x",
    "7L", "1e9", '"1e9"', 'c("contr.sum", "contr.poly")', "function(x) {\n  x\n}", "<closure>",
    "quote(f())", "list(NULL)", "NULL", "TRUE", "NA_character_", "-Inf", "numeric(0)",
    f'"{_HIDDEN}"', f"{_HIDDEN}L", f'c("a", "{_HIDDEN}")', _HIDDEN, "A", "LANG", "TZ", "PATH",
    "https://cran.example.org", "@CRAN@", "file:///srv/cran", "https://u:p@x.org", "yes", "no",
    "null", "0x1F", "08:30", "1_000", "~", "", " ", "- a", "a: b", "a #b", "{{ x }}", "$(id)",
    "/etc/environment", "/etc/R/Renviron.site", "/etc/R/Rprofile.site", "/etc/odbc.ini",
    "A #2", "line 1", "expression 1", "Environment.A", "DropInPaths", "listen", "location",
    "\u00e4\u00f6", "\u202e", "\U0001f600", "a\nb", "a\tb", "\x1b[2J", "\ud800", "\x85", "\u2028",
)  # fmt: skip
_texts = st.sampled_from(_SEEN) | st.text(max_size=12)


def _any(annotation: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(_any, inner))
    if origin is tuple:
        return st.lists(_any(inner[0]), max_size=3).map(tuple)
    if isinstance(annotation, type) and issubclass(annotation, ValuePart):
        value = _any(annotation.model_fields["root"].annotation)
        return value.map(annotation.model_construct)
    if origin is dict:
        return st.dictionaries(_texts, _any(inner[1]), max_size=4)
    if isinstance(annotation, type) and issubclass(annotation, FactsModel):
        return _model(annotation)
    plain: Mapping[Any, st.SearchStrategy[Any]] = {
        str: _texts,
        bool: st.booleans(),
        int: st.sampled_from((0, 1, 22, 80, 3838, 65535, 2**40)) | st.integers(0, 2**53),
        type(None): st.none(),
    }
    return plain[annotation]


def _model(model: type[FactsModel]) -> st.SearchStrategy[Any]:
    own = {name: one for name, one in model.model_fields.items() if name != "parts"}
    fields = {name: _any(field.annotation) for name, field in own.items()}
    return st.deferred(lambda: st.fixed_dictionaries(fields).map(lambda one: model(**one)))


_PARTS = {
    **{
        name: _any(field.annotation)
        for name, field in Facts.model_fields.items()
        if name != "parts"
    },
    **{
        name: _any(model) if name in Facts.required_parts() else st.none() | _any(model)
        for name, model in Facts.part_models().items()
    },
}


@st.composite
def any_facts(draw: st.DrawFn) -> Facts:
    """A server that was seen, with some parts that are anything."""
    names = draw(st.sets(st.sampled_from(sorted(set(_PARTS) - {"r", "format"})), max_size=4))
    changed = {name: draw(_PARTS[name]) for name in names}
    r = FACTS[RInstallations][0]
    fields = draw(
        st.sets(
            st.sampled_from(sorted(set(RView.model_fields) - {"parts"})), min_size=1, max_size=5
        )
    )
    views = [
        one.model_copy(
            update={name: draw(_any(RView.model_fields[name].annotation)) for name in fields}
        )
        for one in r.views
    ]
    own = r.model_copy(update={"views": tuple(views)})
    installed = draw(st.sampled_from(((), (own,))) if draw(st.booleans()) else st.just((own,)))
    return with_named(FACTS, **changed, r=installed)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(any_facts())
def test_what_capture_writes_up_takes(facts: Facts) -> None:
    box = write_box(
        facts, source="prod", facts_file="x.facts.json", bases=load_bases(), room=Room(4, 8192)
    )
    with TemporaryDirectory() as folder:
        (Path(folder) / "x.facts.json").write_text("{}")
        for file in box.files:
            (Path(folder) / file.name).write_text(file.text, encoding="utf-8")
        path = Path(folder) / "captured.yml"
        path.write_text(box.text, encoding="utf-8")
        loaded = load_box(path)
        plan = resolve(loaded)
    assert "#5D" not in box.text
    assert _HIDDEN not in box.text
    _nothing_is_lost(facts, box.text.replace("\n#  ", ""), plan.r.options if plan.r else {})


@pytest.mark.parametrize("said", ["\x1f", "2026\n- x", "\ud800", "\u2028"])
def test_a_day_that_is_none_harms_no_comment(said: str, tmp_path: Path) -> None:
    facts = with_named(FACTS, probe=FACTS.probe.model_copy(update={"taken_at": said}))
    box = write_box(
        facts, source="prod", facts_file="x.facts.json", bases=load_bases(), room=Room(4, 8192)
    )
    (tmp_path / "x.facts.json").write_text("{}")
    path = tmp_path / "captured.yml"
    path.write_text(box.text, encoding="utf-8")
    assert load_box(path).box.base == "debian-12"


def _nothing_is_lost(facts: Facts, text: str, said: Mapping[str, Any]) -> None:
    """Every option that was set stands in the box, with its type, or in a comment."""
    view = (
        facts[RInstallations][0].views[0]
        if facts[RInstallations] and facts[RInstallations][0].views
        else None
    )
    for name, code in (view.options if view is not None else {}).items():
        usual = _R_DEFAULTS.get(name) == r_value.as_r_keeps(name, code)
        if usual or _NOT_TO_SET.fullmatch(name) or not name.isprintable():
            continue
        if name in said:
            value = said[name]
            if not isinstance(value, Secret):
                assert r_value.compare(planned_code(value), code) == "equal", (name, code)
        else:
            # No hash of what was not taken stands in a box, not even as a part of a name
            assert f"R option {without_hash(name)}"[:40].split()[-1] in text, (name, code)


def test_a_locale_in_other_letters_is_the_same_locale() -> None:
    for said, wanted in (
        ("en_US.utf8", "en_US.UTF-8"),
        ("de_AT.utf-8", "de_AT.UTF-8"),
        ("C.utf8", "C.UTF-8"),
        ("de_DE@euro", "de_DE.UTF-8"),
        ("en_US", "en_US.UTF-8"),
    ):
        assert box_locale(said) == wanted, said
