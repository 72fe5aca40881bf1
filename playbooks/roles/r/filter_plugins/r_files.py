"""Write values as R itself reads them: in R code, and in Renviron files."""

import math
import re

# R's limit: a larger whole number is a double
_LARGEST_INTEGER = 2**31 - 1
# Values that R's own ${NAME-default} can carry; others are set whatever the environment has
_PLAIN = re.compile(r"[A-Za-z0-9_.,:/+%@-]+")


def r_literal(value):
    """`value` as R code of the same type: TRUE, 7L, 7.0, "text", c("a", "b").

    ASCII only: a string with \\u escapes means the same in every locale that R may start in.
    Text that is R code itself (`{r: CODE}`) stays text until that one option is set: a mistake in it
    ends only that option.
    """
    if isinstance(value, dict):
        return f"eval(parse(text = {r_literal(value['r'])}, keep.source = FALSE), baseenv())"
    if isinstance(value, list | tuple):
        return f"c({', '.join(r_literal(one) for one in value)})"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return f"{value}L" if abs(value) <= _LARGEST_INTEGER else repr(float(value))
    if isinstance(value, float):
        if math.isfinite(value):
            return repr(value)
        return "NaN" if math.isnan(value) else ("Inf" if value > 0 else "-Inf")
    return '"' + "".join(_r_character(character) for character in str(value)) + '"'


def _r_character(character):
    code = ord(character)
    if character in '"\\':
        return "\\" + character
    if 0x20 <= code < 0x7F:
        return character
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def renviron(environment):
    """Lines for Renviron.site, each value exact after R's expansion of ${...} and removal of quotes.

    A plain value gives way to a value that the session has already. R would remove quotes from such a
    value, so values with quotes are always set.
    """
    lines = []
    for name, value in sorted(environment.items()):
        value = str(value)
        if _PLAIN.fullmatch(value):
            lines.append(f"{name}=${{{name}-{value}}}")
        else:
            lines.append(f"{name}={_renviron_quoted(value)}")
    return "\n".join(lines)


# A backslash right before a quote has a special meaning, which differs between versions of R; so do
# those at the end of a segment. Anywhere else between quotes it is a backslash.
_SEGMENTS = re.compile(
    r"""
    \\*'                                      # a quote, with the backslashes before it
    | \\+\Z                                   # backslashes at the end
    | (?:[^\\'$] | \\(?!\\*(?:'|\Z)))*\$       # up to a dollar: ${ is expanded even between quotes
    | (?:[^\\'$] | \\(?!\\*(?:'|\Z)))+         # anything else
    """,
    re.VERBOSE,
)


def _renviron_quoted(value):
    pieces = []
    for segment in _SEGMENTS.findall(value):
        if segment.endswith("'"):
            pieces.append(f'"{segment}"')
        elif segment.endswith("\\"):
            # Outside of quotes each but the last is kept
            pieces.append(segment + "\\")
        else:
            pieces.append(f"'{segment}'")
    return "".join(pieces) or "''"


def r_check_words(one):
    """`one` R of `r_versions_list` as the words that check-r.sh takes."""
    return [one["program"], one["expected"]]


class FilterModule:
    """Found by Ansible."""

    def filters(self):
        """Name to function."""
        return {"r_literal": r_literal, "renviron": renviron, "r_check_words": r_check_words}
