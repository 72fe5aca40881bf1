"""The list of harmless values: closed by default, opened name by name.

A value leaves a machine only when its name is known *and* the value looks as usual for that name
(`names.txt`, `grammars.py`). The same tables go to the machine inside an awk program
(`program.py`), which holds values back there. Here the tables decide what may be shown.
"""

from sandbox.probe.known.rules import Kind, harmless, known, known_words, knows

__all__ = ["Kind", "harmless", "known", "known_words", "knows"]
