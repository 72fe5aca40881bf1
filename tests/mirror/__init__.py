"""A mirror of R builds, R packages and RStudio Server on this host, made of Debian's packages.

with serving(prepare(), folder) as mirror: ...      # or the fixtures `mirror_contents`, `mirror`
python -m tests.mirror --port 8000                  # by hand
"""

from tests.mirror.contents import Contents, NoMirrorError, default_place, prepare
from tests.mirror.server import Mirror, serving

__all__ = ["Contents", "Mirror", "NoMirrorError", "default_place", "prepare", "serving"]
