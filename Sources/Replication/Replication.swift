// Pure.
