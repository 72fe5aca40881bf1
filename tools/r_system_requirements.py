"""Make sandbox/materials/sysreqs/rules.json from a clone of rstudio/r-system-requirements.

    python tools/r_system_requirements.py CLONE

Keeps what a rule says about Debian and Ubuntu, unchanged, and drops the other systems.
"""

import json
import sys
from pathlib import Path

SYSTEMS = {"debian", "ubuntu"}


def main(clone: Path) -> None:
    """Write the file."""
    rules = {}
    for path in sorted((clone / "rules").glob("*.json")):
        said = json.loads(path.read_text("utf-8"))
        kept = []
        for one in said["dependencies"]:
            fitting = [c for c in one["constraints"] if c.get("distribution") in SYSTEMS]
            if fitting:
                kept.append({**one, "constraints": fitting})
        rules[path.stem] = {"patterns": said["patterns"], "dependencies": kept}
    target = Path(__file__).parent.parent / "sandbox" / "materials" / "sysreqs" / "rules.json"
    target.write_text(json.dumps(rules, indent=1, sort_keys=True) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
