"""Figure 8: `make demo` in a fresh clone, cold (its environment is made first) and warm."""

import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Bar, Figure
from benchmarks.stage import Stage

CHECKOUT = Path(__file__).parent.parent
TIMEOUT_SECONDS = 600


def measure(_: Stage) -> list[Figure]:
    """What is committed, in a clone of its own; packages come from uv's cache where it has them."""
    with tempfile.TemporaryDirectory(prefix="argo-retention-clone-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(CHECKOUT), str(clone)], check=True)
        cold, warm = _seconds(clone), _seconds(clone)
    return [
        Figure(
            figure="make demo, cold",
            unit="s",
            ours=cold,
            bars=[Bar(of="ours", sign="<=", bound=120)],
            note="fresh clone, environment from the lock file; downloads as far as uv's cache lacks them",
        ),
        Figure(
            figure="make demo, warm",
            unit="s",
            ours=warm,
            bars=[Bar(of="ours", sign="<=", bound=40)],
            note="again in the same clone",
        ),
    ]


def _seconds(clone: Path) -> float:
    start = time.monotonic()
    done = subprocess.run(
        ["make", "demo"],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_SECONDS,
    )
    seconds = time.monotonic() - start
    if done.returncode:
        raise AssertionError(f"make demo ended with {done.returncode}: {done.stderr[-2000:]}")
    return seconds
