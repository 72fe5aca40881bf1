"""A stand-in for RStudio Server, for tests only. It is not RStudio and shares no code with it."""

from pathlib import Path

NAME = "RStudio Server stand-in (for tests, not RStudio)"
SUFFIX = "+standin1"


def claimed_version() -> str:
    """Read the version that this copy was built to claim, like 2024.04.2+764."""
    path = Path(__file__).with_name("VERSION")
    return path.read_text(encoding="utf-8").strip() if path.exists() else "2024.04.2+764"


def is_at_least(wanted: str) -> bool:
    """Whether the claimed version is `wanted` (like 2026.06) or newer."""

    def numbers(text: str) -> "list[int]":
        return [int(part) for part in text.partition("+")[0].split(".") if part.isdigit()]

    return numbers(claimed_version()) >= numbers(wanted)
