"""`BOX.lock.yml`: the exact bytes that a box's machine is made of."""
