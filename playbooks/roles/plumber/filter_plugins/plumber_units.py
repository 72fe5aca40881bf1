"""Write words for the files of systemd's units."""

_CONTROL = {"\\": "\\\\", '"': '\\"', "%": "%%"}


def unit_word(text):
    """Write one word of Environment=: a quote ends it, and `%` begins a specifier."""
    return '"' + "".join(_CONTROL.get(one, one) for one in str(text)) + '"'


def unit_command_word(text):
    """Write one word of ExecStart=, in which `$` begins a variable, too."""
    return unit_word(str(text).replace("$", "$$"))


class FilterModule:
    """Found by Ansible."""

    def filters(self):
        """Name to function."""
        return {"unit_command_word": unit_command_word, "unit_word": unit_word}
