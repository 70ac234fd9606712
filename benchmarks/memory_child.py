"""Archives all workflows of the installation whose settings come on stdin; prints its own peak memory."""

import json
import resource
import sys
from pathlib import Path

from argo_retention.operations.archiving import archive_finished
from argo_retention.operations.snapshotting import take_snapshot
from benchmarks.opening import Installation, opened


def main() -> None:
    """One JSON line."""
    installation = Installation(dsn="", url="", token="", settings_text=sys.stdin.read())
    with opened(installation) as (site, grant):
        take_snapshot(site, grant)
        archived = archive_finished(site, grant)
    print(json.dumps({"archived": archived.archived, "peak_kib": _peak_kib()}))


def _peak_kib() -> int:
    """Of this program alone: ru_maxrss counts what the parent had when it forked, VmHWM does not."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
