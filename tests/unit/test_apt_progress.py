"""How far apt has come, as a machine answers it."""

from sandbox.apt_progress import AptProgress
from sandbox.errors import CommandError

AT = "setting up r-cran-xml2 (150 of 214 packages, 85 %)"


class Machine:
    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, script: str) -> str:
        self.asked.append(script)
        return self.answers.pop(0)


def test_it_has_moved_when_it_is_somewhere_else() -> None:
    apt = AptProgress("0123", Machine(f"at: {AT}", f"at: {AT}", "at: updating libc-bin", ""))
    assert [apt.moved() for _ in range(4)] == [True, False, True, False]
    assert apt.at == ""


def test_what_was_worked_out_once_is_given_back() -> None:
    machine = Machine("known: 7 214 1000\nat: fetching x (1 of 214 packages, 2 %)\n", "", "")
    apt = AptProgress("0123", machine)
    assert apt.moved()
    assert apt.at == "fetching x (1 of 214 packages, 2 %)"
    apt.moved()
    assert machine.asked[0].startswith("set -- 0123 ''\n")
    assert machine.asked[1].startswith("set -- 0123 '7 214 1000'\n")


def test_an_answer_that_is_none_of_ours_is_not_run() -> None:
    machine = Machine("known: 7'; reboot; '\nwhat: ever\n", "")
    apt = AptProgress("0123", machine)
    assert not apt.moved()
    apt.moved()
    assert machine.asked[1].startswith("set -- 0123 ''\n")


def test_a_machine_that_cannot_be_asked_has_not_moved() -> None:
    def ask(_: str) -> str:
        raise CommandError("no way in", returncode=255)

    assert not AptProgress("0123", ask).moved()
