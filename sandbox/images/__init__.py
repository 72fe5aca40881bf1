"""The parts of base images, for every provider: Debian roots, disks, kept packages."""
