"""The tarball that goes with a root and tells Incus what the root is."""

import io
import json
import tarfile
import time
from pathlib import Path

from sandbox.images.recipe import TEMPLATE_TARGETS, TEMPLATES, Recipe
from sandbox.providers.incus.project_images import KEY_PROPERTY


def write_metadata(path: Path, recipe: Recipe) -> None:
    """Write the tarball that tells Incus what the root is, and which files get a machine's name."""
    base = recipe.base
    now = int(time.time())
    # JSON is YAML, too
    metadata = {
        "architecture": recipe.machine,
        "creation_date": now,
        "properties": {
            "os": base.distribution,
            "release": base.suite,
            "description": f"{base.description}, made by sandbox",
            KEY_PROPERTY: recipe.key,
        },
        "templates": {
            target: {"when": ["create", "copy", "rename"], "template": template}
            for target, template in TEMPLATE_TARGETS.items()
        },
    }
    files = {"metadata.yaml": json.dumps(metadata, indent=1)}
    files |= {f"templates/{name}": text for name, text in TEMPLATES.items()}
    with tarfile.open(path, "w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            data = text.encode()
            entry.size, entry.mtime, entry.mode = len(data), now, 0o644
            archive.addfile(entry, io.BytesIO(data))
