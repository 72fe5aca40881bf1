"""Boxes of Ubuntu on real Incus; only `make test-ubuntu` collects these.

It needs the public image server of Incus, or an Ubuntu mirror: SANDBOX_TEST_UBUNTU_MIRROR=URL
builds the base images from that mirror, for which this host needs ubuntu-archive-keyring. In the
machines, packages come from the same mirror, else from Ubuntu's own servers.
"""

import os

collect_ignore_glob = [] if os.environ.get("SANDBOX_TEST_UBUNTU") else ["test_*.py"]
