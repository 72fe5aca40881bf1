"""A bundle: a box, its lock, and every byte that the lock names, in one file.

Pure: this package reads and writes streams. What goes in and what comes out of it are
`workflows/bundle.py` and `workflows/unbundle.py`.
"""
