"""Bake leaves an image and nothing else; prune spares what is in use, being made, or young."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.baking import forget_use, last_used, note_use
from sandbox.errors import BusyError, HostError, ProviderError, ProvisionError, UsageError
from sandbox.paths import cache_dir
from sandbox.plan import Plan
from sandbox.providers.engine import Power
from sandbox.state import Instance, instance_names, locked
from sandbox.workflows import cache
from sandbox.workflows.cache_materials import PruneRule
from tests.unit.factories import placed, plain_plan, shiny_plan
from tests.unit.workflows.conftest import Bench

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def no_bases(bench: Bench) -> None:
    bench.bases = ProviderError("nobody answers")


def bake(bench: Bench, plan: Plan, **options: Any) -> cache.Baked:
    return cache.bake(placed(plan), context=bench.context, **options)


def prune(bench: Bench, rule: PruneRule | None = None, *, dry_run: bool = False) -> list[str]:
    found = cache.prune(rule or PruneRule(), context=bench.context, dry_run=dry_run)
    return [one.image for one in found]


def images(bench: Bench) -> list[str]:
    return [one.image for one in bench.engine.baked_images()]


def test_a_bake_leaves_an_image_and_no_sandbox(bench: Bench) -> None:
    made = bake(bench, shiny_plan())
    assert images(bench) == [made.image]
    assert bench.engine.status() == {}
    assert instance_names() == []
    again = bake(bench, shiny_plan())
    assert (again.image, again.already_there) == (made.image, True)
    assert bench.provisioned == 1
    bench.up(shiny_plan())
    assert bench.provisioned == 1


def test_a_fresh_bake_takes_the_place_of_the_old(bench: Bench) -> None:
    old = bake(bench, shiny_plan())
    new = bake(bench, shiny_plan(), fresh=True)
    assert images(bench) == [new.image] != [old.image]


def test_a_box_that_fails_its_checks_is_not_baked(bench: Bench) -> None:
    bench.green = False
    with pytest.raises(ProvisionError, match="did not pass"):
        bake(bench, shiny_plan())
    assert images(bench) == []
    assert instance_names() == []


def test_a_bake_that_was_killed_is_begun_anew(bench: Bench) -> None:
    bench.engine.failures["destroy"] = KeyboardInterrupt()
    bench.fail_provision = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bake(bench, shiny_plan())
    assert len(instance_names()) == 1
    bench.engine.failures.clear()
    bench.fail_provision = None
    bake(bench, shiny_plan())
    assert len(images(bench)) == 1
    assert instance_names() == []


@pytest.mark.parametrize("cut_off_in", ["provision", "bake"])
def test_what_a_killed_bake_left_goes_though_an_older_image_will_do(
    bench: Bench, cut_off_in: str
) -> None:
    made = bake(bench, shiny_plan())
    bench.engine.failures["destroy"] = KeyboardInterrupt()
    if cut_off_in == "provision":
        bench.fail_provision = KeyboardInterrupt()
    else:
        bench.engine.failures["bake!"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bake(bench, shiny_plan(), fresh=True)
    assert len(instance_names()) == 1
    assert len(images(bench)) == 1 + (cut_off_in == "bake")
    bench.engine.failures.clear()
    bench.fail_provision = None
    again = bake(bench, shiny_plan())
    assert (again.image, again.already_there) == (made.image, True)
    assert instance_names() == []
    assert images(bench) == [made.image]


def test_one_that_is_being_baked_anew_is_left_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bake(bench, shiny_plan())

    def busy(*_: object, **__: object) -> None:
        raise BusyError("at work")

    monkeypatch.setattr(cache, "_clear_cut_off", busy)
    assert bake(bench, shiny_plan()) == replace(made, already_there=True)
    with pytest.raises(BusyError):
        bake(bench, shiny_plan(), fresh=True)


def test_a_provider_that_cannot_bake_says_so(bench: Bench) -> None:
    class Plain:
        provider = "plain"

    bench.engine = Plain()  # type: ignore[assignment]
    with pytest.raises(UsageError, match="keeps no baked images"):
        bake(bench, shiny_plan())


def test_what_is_in_use_stays(bench: Bench) -> None:
    bake(bench, shiny_plan())
    bake(bench, plain_plan())
    bench.up(shiny_plan())
    kept = {one.box: one.machines for one in cache.kept(bench.context)}
    assert kept == {"shiny": ("shiny",), "plain": ()}
    assert len(prune(bench, dry_run=True)) == 1
    assert len(images(bench)) == 2
    assert len(prune(bench)) == 1
    [left] = cache.kept(bench.context)
    assert left.box == "shiny"
    bench.engine.destroy("shiny")
    assert prune(bench) == [left.image]
    assert images(bench) == []


def test_the_last_ones_of_each_box_stay(bench: Bench) -> None:
    for timezone in ("Europe/Paris", "Europe/Rome", "Europe/Oslo"):
        plan = shiny_plan()
        system = plan.system.model_copy(update={"timezone": timezone})
        bake(bench, plan.model_copy(update={"system": system}))
    bake(bench, plain_plan())
    newest = images(bench)[:3]
    prune(bench, PruneRule(keep_last=2))
    assert images(bench) == newest


def test_what_was_used_lately_stays(bench: Bench) -> None:
    made = bake(bench, shiny_plan())
    assert prune(bench, PruneRule(older_than=DAY)) == []
    [image] = bench.engine.baked_images()
    assert last_used(image) == image.made_at
    note_use(made.image)
    assert last_used(image) > image.made_at
    assert abs(last_used(image) - datetime.now(UTC)) < DAY
    forget_use(made.image)
    assert last_used(image) == image.made_at


def test_what_was_cut_off_always_goes(bench: Bench) -> None:
    bench.engine.failures["bake!"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bake(bench, shiny_plan())
    bench.engine.failures.clear()
    [cut_off] = cache.kept(bench.context)
    assert not cut_off.complete
    assert prune(bench, PruneRule(older_than=DAY, keep_last=9)) == [cut_off.image]
    assert images(bench) == []


@pytest.mark.parametrize("folder_lost", [False, True])
def test_the_sandbox_of_a_killed_bake_goes(bench: Bench, folder_lost: bool) -> None:
    bench.engine.failures["destroy"] = KeyboardInterrupt()
    bench.fail_provision = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        bake(bench, shiny_plan())
    bench.engine.failures.clear()
    [name] = instance_names()
    if folder_lost:
        Instance(name).remove()
    with locked(name):
        # Who bakes just now is left alone
        assert prune(bench) == []
    assert [one.image for one in cache.prune(PruneRule(), context=bench.context, dry_run=True)] == [
        name
    ]
    assert prune(bench, PruneRule(older_than=DAY, keep_last=9)) == [name]
    assert instance_names() == []
    assert bench.engine.status() == {}


def test_a_hypervisor_that_is_not_installed_is_no_reason_to_stop(bench: Bench) -> None:
    made = bake(bench, shiny_plan())
    bench.engine.failures["status"] = HostError("virsh is not installed")
    assert prune(bench) == [made.image]


def test_what_comes_into_use_at_the_last_moment_stays(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bake(bench, shiny_plan())
    before = bench.engine.baked_images()
    bench.up(shiny_plan())
    monkeypatch.setattr(cache, "_to_prune", lambda *_: iter(before))
    assert prune(bench) == []
    assert bench.up(shiny_plan()).status.power is Power.RUNNING


def test_an_image_that_cannot_be_removed_is_named(bench: Bench) -> None:
    made = bake(bench, shiny_plan())
    bench.engine.failures["delete_baked"] = ProviderError("machines need it")
    assert prune(bench) == []
    assert any(made.image in text and "machines need it" in text for text in bench.notices())


def test_a_provider_that_does_not_answer_is_named(bench: Bench) -> None:
    bench.engine.failures["baked_images"] = ProviderError("it is not running")
    assert cache.kept(bench.context) == ()
    assert any("it is not running" in text for text in bench.notices())


def test_what_a_killed_build_left_is_not_walked_through(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have /proc mounted in it."""
    folder = cache_dir() / "images" / "0123456789ab"
    closed = folder / "build-x" / "proc"
    closed.mkdir(parents=True)
    (folder / "build.log").write_text("12345")

    def walk(*_: object) -> None:
        raise PermissionError(closed)

    monkeypatch.setattr(type(folder), "rglob", walk)
    bench.bases = ()
    [found] = cache.prune(PruneRule(), context=bench.context, dry_run=True)
    assert (found.kind, found.image, found.size_bytes) == ("build", str(folder), 5)


def test_the_cache_may_be_removed_at_any_time(bench: Bench) -> None:
    bake(bench, shiny_plan())
    import shutil

    shutil.rmtree(cache_dir())
    bench.up(shiny_plan())
    assert bench.provisioned == 1
    assert Instance("shiny").require().made_whole
