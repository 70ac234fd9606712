"""Worlds as in the end-to-end tests; unshare (Linux) runs what the image holds on a read-only file system."""

import shutil

from argo_retention_tests.e2e.conftest import cli, new_seed, servers  # noqa: F401

collect_ignore = [] if shutil.which("unshare") else ["test_image.py"]
