"""Only the module of the command that is called takes part; help and completion know them all."""

import pytest
import typer.main

from sandbox.cli.app import GROUPS, program

EVERYTHING = [command for commands in GROUPS.values() for command in commands]


def names(*words: str) -> list[str]:
    found = typer.main.get_command(program(words))
    return list(getattr(found, "commands"))  # noqa: B009  (typer's own click has no stubs)


@pytest.mark.parametrize("group", GROUPS)
def test_a_module_registers_what_the_table_says(group: str) -> None:
    for command in GROUPS[group]:
        assert sorted(names(command, "--anything")) == sorted(GROUPS[group])


@pytest.mark.parametrize("words", [(), ("--help",), ("--version",), ("vlidate", "x.yml")])
def test_what_names_no_command_gets_them_all(words: tuple[str, ...]) -> None:
    assert sorted(names(*words)) == sorted(EVERYTHING)
