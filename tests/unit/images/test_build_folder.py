"""What is mounted below a killed build, read from the kernel's own list."""

from pathlib import Path

from sandbox.images.build_folder import mounts_below

MOUNTINFO = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 22 0:5 / /var/cache/a\040b/build-x/root/proc ro - proc proc ro
41 40 0:6 / /var/cache/a\040b/build-x/root/proc/sys ro - proc proc ro
42 22 0:7 / /var/cache/a\040b/build-xy/root/sys ro - sysfs sys ro
"""


def test_only_what_is_inside_counts() -> None:
    below = mounts_below(Path("/var/cache/a b/build-x"), MOUNTINFO)
    assert below == [
        Path("/var/cache/a b/build-x/root/proc"),
        Path("/var/cache/a b/build-x/root/proc/sys"),
    ]
    assert mounts_below(Path("/var/cache/a b/build"), MOUNTINFO) == []
