"""A box with secrets: when its values are asked for, where they go, and where they never are."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.baking import CacheUse
from sandbox.errors import ProvisionError, UsageError
from sandbox.facts.hashes import Hashes
from sandbox.guest.hashes import hash_key, hashes_of
from sandbox.probe.untaken import HashKey, token
from sandbox.secret_values import (
    NeededSecret,
    SecretValues,
    secret_targets,
    without_secrets,
)
from sandbox.state import Instance
from sandbox.workflows import cache
from sandbox.workflows.secrets_given import GivenSecrets
from tests.unit.factories import placed, secret_plan, secret_sandbox, shiny_plan
from tests.unit.workflows.conftest import Bench

GIVEN = {
    "SALES_DB": "pLaNt3d",
    "CRAN_URL": "https://me:pLaNt3d@cran.example.org",
    "PROXY": "http://me:pLaNt3d@proxy.example",
}


class Counted(GivenSecrets):
    """Knows how often all values were wanted, and has some."""

    def __init__(self, **values: str) -> None:
        super().__init__(dict(values))
        self.times = 0

    def all_of(self, needed: Sequence[NeededSecret]) -> SecretValues:
        self.times += 1 if needed else 0
        return super().all_of(needed)


def give(bench: Bench, **values: str) -> Counted:
    """From now on these are in the environment."""
    source = Counted(**values)
    bench.context = replace(bench.context, secrets=source)
    return source


def everything_kept(folder: Path) -> str:
    return "\n".join(
        path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()
    )


def test_the_values_reach_the_machine_and_no_file(bench: Bench, tmp_path: Path) -> None:
    give(bench, **GIVEN)
    bench.up(secret_plan())
    assert bench.given == GIVEN
    [told] = [one for one in bench.notices() if one.startswith("secrets for shiny: ")]
    assert "SALES_DB from the environment" in told
    assert "pLaNt3d" not in everything_kept(tmp_path)
    assert "pLaNt3d" not in repr(bench.events)
    assert "pLaNt3d" not in repr(bench.context)


def test_without_the_values_nothing_is_touched(bench: Bench, tmp_path: Path) -> None:
    give(bench, SALES_DB="pLaNt3d")
    with pytest.raises(UsageError, match="CRAN_URL, PROXY"):
        bench.up(secret_plan())
    assert not [one for one in bench.engine.calls if one.startswith(("create", "start"))]
    assert not Instance("shiny").exists()


def test_a_machine_that_needs_nothing_needs_no_values(bench: Bench) -> None:
    give(bench, **GIVEN)
    bench.up(secret_plan())
    source = give(bench)
    assert bench.up(secret_plan()).unchanged
    # Stopped in between, or checks that were not green: no playbook runs
    bench.engine.stop("shiny", timeout_s=1)
    assert not bench.up(secret_plan()).unchanged
    assert (source.times, bench.provisioned) == (0, 1)


def test_a_box_without_secrets_asks_for_none(bench: Bench) -> None:
    source = give(bench)
    bench.up(shiny_plan())
    assert source.times == 0


@pytest.mark.parametrize("why", ["again", "changed", "gone", "cut off"])
def test_they_are_needed_again_when_the_playbooks_run_again(bench: Bench, why: str) -> None:
    give(bench, **GIVEN)
    plan = secret_plan()
    if why == "cut off":
        bench.fail_provision = ProvisionError("a task failed")
        with pytest.raises(ProvisionError):
            bench.up(plan)
        bench.fail_provision = None
    else:
        bench.up(plan)
    done = bench.provisioned
    if why == "gone":
        bench.engine.destroy("shiny")
    if why == "changed":
        system = plan.system.model_copy(update={"timezone": "America/New_York"})
        plan = plan.model_copy(update={"system": system})
    calls = len(bench.engine.calls)
    give(bench)
    with pytest.raises(UsageError, match="CRAN_URL, PROXY, SALES_DB"):
        bench.up(plan, provision_again=why == "again")
    touched = ("create", "start", "stop", "destroy")
    assert not [one for one in bench.engine.calls[calls:] if one.startswith(touched)]
    give(bench, **GIVEN)
    bench.up(plan, provision_again=why == "again")
    assert bench.provisioned == done + 1


def test_another_value_at_hand_is_applied(bench: Bench) -> None:
    give(bench, **GIVEN)
    bench.up(secret_plan())
    give(bench, **GIVEN)
    assert bench.up(secret_plan()).unchanged
    fresh = {**GIVEN, "SALES_DB": "another"}
    give(bench, **fresh)
    assert not bench.up(secret_plan()).unchanged
    assert (bench.provisioned, bench.given) == (2, fresh)
    assert "not what the machine was given before: SALES_DB" in bench.notices()
    give(bench, **fresh)
    assert bench.up(secret_plan()).unchanged


def test_of_another_value_the_others_are_needed_too(bench: Bench) -> None:
    give(bench, **GIVEN)
    bench.up(secret_plan())
    give(bench, SALES_DB="another")
    with pytest.raises(UsageError, match="CRAN_URL, PROXY"):
        bench.up(secret_plan())
    assert bench.provisioned == 1


def test_hashes_are_kept_for_the_checks_and_only_for_the_owner(bench: Bench) -> None:
    give(bench, **GIVEN)
    bench.up(secret_plan())
    instance = Instance("shiny")
    key = hash_key(instance)
    assert hashes_of(instance, hash_key(instance)) == Hashes(
        key=key.digits, secrets={name: token(value, key) for name, value in GIVEN.items()}
    )
    for name in ("probe.key", "secrets.json"):
        assert (instance.folder / name).stat().st_mode & 0o777 == 0o600
    assert hash_key(instance) == key


@pytest.mark.parametrize("damage", ["", "nonsense", "\udcff", "0" * 31])
def test_a_damaged_key_is_made_anew_and_old_hashes_are_not_believed(
    bench: Bench, damage: str
) -> None:
    give(bench, **GIVEN)
    bench.up(secret_plan())
    instance = Instance("shiny")
    before = hash_key(instance)
    path = instance.folder / "probe.key"
    path.write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert hash_key(instance) != before
    assert hashes_of(instance, hash_key(instance)).secrets == {}
    # What is at hand is then given once more
    give(bench, **GIVEN)
    assert not bench.up(secret_plan()).unchanged
    assert set(hashes_of(instance, hash_key(instance)).secrets) == set(GIVEN)


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"key": 1}', '{"hashes": 5}', "\udcff"])
def test_damaged_hashes_are_none(bench: Bench, damage: str) -> None:
    give(bench, **GIVEN)
    bench.up(secret_plan())
    instance = Instance("shiny")
    path = instance.folder / "secrets.json"
    path.write_bytes(damage.encode("utf-8", "surrogateescape"))
    assert hashes_of(instance, hash_key(instance)).secrets == {}


def test_a_key_does_not_show_itself(bench: Bench) -> None:
    instance = Instance("shiny")
    key = hash_key(instance)
    shown = f"{key!r} {hashes_of(instance, hash_key(instance))!r}"
    assert key.digits not in shown
    assert HashKey(key.digits).id in shown


@pytest.mark.parametrize("use", [CacheUse.USE, CacheUse.FRESH])
def test_a_machine_with_secrets_is_never_baked(bench: Bench, use: CacheUse) -> None:
    give(bench, **GIVEN)
    bench.up(secret_plan(), cache=use)
    assert bench.engine.baked_images() == ()
    assert (
        "it is not kept as a baked image, which would hold CRAN_URL, PROXY, SALES_DB"
        in bench.notices()
    )


def test_with_no_cache_nothing_is_said_of_images(bench: Bench) -> None:
    give(bench, **GIVEN)
    bench.up(secret_plan(), cache=CacheUse.OFF)
    assert not [one for one in bench.notices() if "baked" in one]


def test_it_may_be_made_from_one_without_secrets_and_is_provisioned_then(bench: Bench) -> None:
    bench.up(placed(without_secrets(secret_plan()), "bare"))
    [image] = bench.engine.baked_images()
    give(bench, **GIVEN)
    bench.up(secret_plan())
    record = Instance("shiny").require()
    assert record.history[0].note == image.image
    assert bench.given == GIVEN
    assert [one.image for one in bench.engine.baked_images()] == [image.image]


def test_bake_refuses_before_anything_is_made(bench: Bench) -> None:
    source = give(bench, **GIVEN)
    with pytest.raises(UsageError, match="its image would hold secrets") as failure:
        cache.bake(secret_sandbox(), context=bench.context)
    assert (
        "SALES_DB: system.environment.SALES_DB, r.options.sales.password" in failure.value.details
    )
    assert (bench.engine.calls, source.times) == ([], 0)


def test_the_names_that_hold_secrets_on_the_machine() -> None:
    assert secret_targets(secret_plan()) == {"SALES_DB", "sales.password", "CRAN"}
