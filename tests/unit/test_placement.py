"""A plan in its place: the names, and keys that are those of the version before."""

import json
from pathlib import Path

import pytest

from sandbox import baking
from sandbox.baking import BakeKeys, bake_keys, recipe_key
from sandbox.placement import Placement, place
from sandbox.providers import Registry
from sandbox.providers.abilities import Baking
from sandbox.providers.place import Place
from sandbox.record import Record
from sandbox.state import Instance
from sandbox.summary import Phase
from tests.unit.factories import shiny_plan

RECORDS = Path(__file__).parent / "golden" / "records"
"""Written by the version whose plans had a name and a provider."""


def placement_of(box: str, **changes: object) -> Placement:
    record = Record.model_validate_json((RECORDS / f"format-1-{box}.json").read_bytes())
    placement = record.placement
    if size := {key: value for key, value in changes.items() if key in {"cpus", "disk_gb"}}:
        placement = place(placement.plan, provider=placement.provider, **size)  # type: ignore[arg-type]
    return placement.model_copy(
        update={key: value for key, value in changes.items() if key not in size}
    )


SEAT = placement_of("sales", name="seat-2", cpus=4, disk_gb=30)
# The box of `vm` names a base image for libvirt
AT_INCUS = placement_of("vm", provider="incus")


@pytest.mark.parametrize(
    ("placement", "keys"),
    [
        (placement_of("sales"), "d8082c0fed10 db6b1f21c812 ffa15d37c680 6e895749d224"),
        (SEAT, "3f95732d11b1 af72fab22b53 ffa15d37c680 6e895749d224"),
        (placement_of("vm"), "afb2cedf5080 3649d589b8ad 3b20f0e74a2e d0f6979e50a7"),
        (AT_INCUS, "9b2ef774a017 a0b1cc189ec2 f4b537a15284 dd99abe90763"),
    ],
    ids=["incus", "a seat", "libvirt", "the same at incus"],
)
def test_the_keys_are_those_that_the_version_before_made(
    placement: Placement, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or else every sandbox would be provisioned once more, and every image baked once more."""
    monkeypatch.setattr(baking, "recipe_digest", lambda: "recipe")
    monkeypatch.setattr(baking, "__version__", "0")
    engine = Registry()[placement.provider].make_engine(Place("test"))
    assert isinstance(engine, Baking)
    key, recipe, whole, layer = keys.split()
    assert placement.key == key
    assert recipe_key(placement) == recipe
    assert bake_keys(placement, "base-image", engine) == BakeKeys(whole, layer)


@pytest.mark.parametrize("box", ["sales", "vm"])
def test_a_record_of_the_version_before_is_read_and_written_as_ours(
    box: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    instance = Instance(box)
    saved = (RECORDS / f"format-1-{box}.json").read_text(encoding="utf-8")
    instance.write_text("record.json", saved)
    before = json.loads(saved)
    listed = instance.summary()
    record = instance.require()
    assert record.summary == listed
    assert (record.placement.name, record.placement.provider) == (
        before["plan"]["name"],
        before["plan"]["provider"],
    )
    assert record.phase is Phase.PROVISIONED
    assert record.placement.key == record.history[-1].plan_key == before["summary"]["plan_key"]
    instance.write(record)
    again = json.loads((instance.folder / "record.json").read_text(encoding="utf-8"))
    assert again["format"] == 2
    assert instance.require() == record
    assert instance.summary() == listed
    # Nothing of the plan is lost on the way
    placement = {key: again["placement"][key] for key in ("name", "provider")}
    assert {**again["placement"]["plan"], **placement} == before["plan"]


def test_one_plan_has_many_places() -> None:
    plan = shiny_plan()
    seats = [place(plan, provider="incus", name=f"seat-{number}") for number in range(3)]
    assert {seat.key for seat in seats} == {plan.key}
    assert [seat.name for seat in seats] == ["seat-0", "seat-1", "seat-2"]
    assert place(plan, provider="incus").name == "shiny"
