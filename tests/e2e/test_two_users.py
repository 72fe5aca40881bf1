"""Two users of one Incus: neither has the other's records, and both may choose the same name."""

import json
from pathlib import Path

from tests.conftest import Host
from tests.e2e.test_interrupted import BOX


def test_nobody_destroys_what_another_user_has(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(BOX)
    other = {"XDG_STATE_HOME": str(tmp_path / "other")}
    host.sandbox("up", path, "--no-checks", "--no-cache")
    try:
        listed = json.loads(host.sandbox("list", "--json", env=other).stdout)
        # Not the only one: other tests' sandboxes share this Incus and belong to the same user
        assert {info["name"]: info["state"] for info in listed}["mine"] == "another user's"
        refused = host.sandbox("destroy", "mine", env=other, expect=2).stderr
        assert "belongs to another user's sandbox" in refused
        assert str(host.instances / "mine") in refused
        assert "there is no sandbox" in host.sandbox("destroy", "--all", "--yes", env=other).stderr
        assert host.sandbox("exec", "mine", "--", "hostname").stdout == "mine\n"
        assert "another user" in host.sandbox("up", path, env=other, expect=None).stderr
    finally:
        host.sandbox("destroy", "mine")
