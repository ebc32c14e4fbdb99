"""The filesystem: folders by descriptor, moves that never overwrite, copies across filesystems, names, mounts."""
