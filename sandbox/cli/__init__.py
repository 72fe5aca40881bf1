"""The command line: the only place that prints, reads the environment, or exits."""

import os

# Looking for pydantic plugins among all installed packages takes longer than most commands
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
