"""What is known to tell nothing: closed by default, opened name by name.

A value leaves a machine only when its name is known *and* it looks as the values of that name do
(`names.txt`, `grammars.py`). The same tables go to the machine inside an awk program
(`program.py`), which is where values are held back; here they answer for what is to be shown.
"""

from sandbox.probe.known.rules import Kind, harmless, known, known_words, knows

__all__ = ["Kind", "harmless", "known", "known_words", "knows"]
