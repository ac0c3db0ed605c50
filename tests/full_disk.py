"""A full disk, for a while: `with full_disk(): ...`; not on Windows, which has no such limit."""

import contextlib

import pytest


@contextlib.contextmanager
def full_disk(n_bytes=0):
    """Within it no file grows beyond n_bytes: the system refuses the next one, as on a full disk."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
