"""Where Vagrant keeps its boxes and plugins."""

import os
from pathlib import Path

from sandbox.paths import cache_dir


def vagrant_home() -> Path:
    """Return this user's Vagrant folder, with its boxes: `$VAGRANT_HOME`, or `~/.vagrant.d`."""
    value = os.environ.get("VAGRANT_HOME", "")
    return Path(value).expanduser() if value else Path.home() / ".vagrant.d"


def clean_vagrant_home() -> Path:
    """Return the user's `~/.vagrant.d`, or one of the same boxes and plugins without Vagrantfile.

    A user's `~/.vagrant.d/Vagrantfile` changes every machine of that user. Our machines must be
    what the box says.
    """
    own = vagrant_home()
    if not any((own / name).exists() for name in ("Vagrantfile", "vagrantfile")):
        return own
    ours = cache_dir() / "vagrant.d"
    ours.mkdir(parents=True, exist_ok=True, mode=0o700)
    (own / "boxes").mkdir(exist_ok=True)
    for entry in own.iterdir():
        # `data` has the locks and the list of machines, which is then one of our own
        if entry.name.lower() == "vagrantfile" or entry.name in ("data", "tmp", "rgloader"):
            continue
        link = ours / entry.name
        if not link.is_symlink():
            try:
                link.symlink_to(entry)
            except FileExistsError:
                # Another command was quicker, or Vagrant has made its own file there
                continue
    return ours
