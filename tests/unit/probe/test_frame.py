import pytest

from sandbox.facts.answer import parse_answer
from sandbox.probe.frame import CutOffError, read_frame
from tests.unit.facts.conftest import recorded

_B = "sandbox-probe-1234"


def _line(*words: str) -> str:
    return "\t".join((_B, "section", *words))


def test_noise_before_between_and_after_is_not_ours() -> None:
    output = "\n".join(
        [
            *("Welcome to r.example.org", _line("first"), "x", "", _line("a", "1"), "one", "two"),
            *("", _line("b"), _line("end"), "logout", _line("late")),
        ]
    )
    frame = read_frame(output, _B)
    assert [(s.name, s.args, s.lines) for s in frame.sections] == [
        ("first", (), ("x",)),
        ("a", ("1",), ("one", "two")),
        ("b", (), ()),
    ]


def test_only_the_given_boundary_starts_a_section() -> None:
    output = "\n".join([_line("a"), "other-boundary\tsection\tb", f" {_line('c')}", _line("end")])
    (section,) = read_frame(output, _B).sections
    assert section.lines == ("other-boundary\tsection\tb", f" {_line('c')}")


def test_carriage_returns_of_a_terminal_do_not_matter() -> None:
    output = "\r\n".join(["banner", _line("a"), "one", _line("end"), ""])
    assert read_frame(output, _B).lines("a") == ("one",)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_an_answer_without_its_end_is_cut_off(share: float) -> None:
    whole = recorded("worker").rstrip().removesuffix("end")
    with pytest.raises(CutOffError):
        read_frame(whole[: int(len(whole) * share)], "BOUNDARY")


def test_banner_and_log_out_noise_leave_the_facts_as_they_are() -> None:
    plain = recorded("worker")
    noisy = f"*** Authorised use only ***\nmotd without newline{plain}\nsee you\n"
    assert parse_answer(read_frame(noisy, "BOUNDARY")) == parse_answer(
        read_frame(plain, "BOUNDARY")
    )
