"""What base images are made of, whatever boots them: Debian roots, disks, kept packages."""
