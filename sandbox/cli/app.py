"""The command line's entry: registers the groups, catches every error, and is the only place that exits."""


def main() -> None:
    """Placeholder until the first command lands."""
    raise SystemExit(2)
