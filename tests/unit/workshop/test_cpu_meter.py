"""How busy a machine is: its counter is read every two seconds, and moves every eight."""

from sandbox.providers.seats import SeatUse
from sandbox.workshop.cpu_meter import IDLE_S, CpuMeter


def use(cpu_s: float) -> SeatUse:
    return SeatUse(cpu_s=cpu_s, memory_mb=100, processes=10)


def shown(share: float, *, kept_s: float = 8.0, until_s: float = 120.0) -> list[float]:
    """What is said of a machine that uses this share of a cpu, at each look where it is known."""
    meter, found, at = CpuMeter(), list[float](), 0.0
    while at < until_s:
        read_at = at // kept_s * kept_s
        found += meter.percents({"m": use(100 + share * read_at)}, 1000 + at).values()
        at += 2.1
    return found


def test_a_busy_machine_is_busy_at_each_look() -> None:
    said = shown(0.5)
    assert len(said) > 40
    assert all(40 <= one <= 60 for one in said), said


def test_figures_that_nobody_keeps_are_as_good() -> None:
    said = shown(0.5, kept_s=0.001)
    assert all(49 <= one <= 51 for one in said), said


def test_a_machine_that_does_nothing_is_known_to_be_idle() -> None:
    assert set(shown(0.0)) == {0.0}
    assert shown(0.0, until_s=IDLE_S - 5) == []


def test_each_change_is_seen_in_half_a_minute() -> None:
    meter, cpu_s, said = CpuMeter(), 0.0, dict[str, float]()
    for at in range(120):
        cpu_s += 1.0 if at < 60 else 0.0
        said = meter.percents({"m": use(cpu_s)}, float(at))
        if at == 59:
            assert said == {"m": 100.0}
    assert said == {"m": 0.0}


def test_a_machine_that_was_started_again_counts_from_zero() -> None:
    meter = CpuMeter()
    meter.percents({"m": use(500.0)}, 0.0)
    assert meter.percents({"m": use(1.0)}, 20.0) == {}
    assert meter.percents({"m": use(2.0)}, 22.0) == {}
    assert meter.percents({"m": use(12.0)}, 42.0) == {"m": 50.0}
    assert meter.percents({}, 60.0) == {}
    assert meter.percents({"m": use(11.0)}, 80.0) == {}
