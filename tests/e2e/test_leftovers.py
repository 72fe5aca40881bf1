"""What checks began in a machine has ended: it has the processes and files of before."""

import json

from tests.e2e.conftest import Shiny

# Each kills Shiny Server or ends an app's R; as many as have time
CHECKS = (("--goal", "up"), ("--goal", "snappy"))
ROUNDS = 3
MORE_KB = 20_000
"""By so much the same R may be larger than another one was."""

# Neither what looks, nor the connection by which it does
_COUNT = r"""
ps -eo comm=,rss= | awk '
  $1 !~ /^(ps|awk|find|sh|bash|sudo|sshd|sort|uniq|sed|cat)$/ { count[$1]++; kb += $NF }
  END { for (name in count) print "process", name, count[name]; print "kb", "all", kb }'
for folder in /tmp /var/tmp /dev/shm /var/lib/shiny-server /var/log/shiny-server /srv /home; do
  echo "files $folder $(find "$folder" -xdev 2>/dev/null | wc -l)"
done
echo "sessions of-apps $(loginctl list-sessions --no-legend | grep -c shiny)"
"""


def counted(shiny: Shiny) -> dict[str, int]:
    lines = [line.rsplit(" ", 1) for line in shiny.as_root(_COUNT).splitlines()]
    return {what: int(number) for what, number in lines}


def test_checks_leave_nothing_behind(shiny: Shiny) -> None:
    # The machine as any check leaves it: one R of each app, which served the last page
    shiny.check(*CHECKS[0], expect=None)
    before = counted(shiny)
    assert before["process R"] == 1
    for _ in range(ROUNDS):
        for goal in CHECKS:
            report = shiny.check(*goal, expect=None)
            # On a busy host a page may be late; what matters here is that something was ended
            results = {one["id"]: one for one in report["results"]}
            ended = results.get("up.restart.shiny-server") or results["snappy.first-page.faithful"]
            assert ended["outcome"] in {"passed", "failed"}, json.dumps(ended)
    after = counted(shiny)
    grown_kb = after.pop("kb all") - before.pop("kb all")
    assert after == before
    assert grown_kb < MORE_KB
