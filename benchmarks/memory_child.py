"""Archives all workflows of the installation whose settings come on stdin; prints its own peak memory."""

import json
import resource
import sys

from argo_retention.operations.archiving import archive_finished
from argo_retention.operations.snapshotting import take_snapshot
from benchmarks.opening import Installation, opened


def main() -> None:
    """One JSON line."""
    installation = Installation(dsn="", url="", token="", settings_text=sys.stdin.read())
    with opened(installation) as (site, grant):
        take_snapshot(site, grant)
        archived = archive_finished(site, grant)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"archived": archived.archived, "peak_kib": peak}))


if __name__ == "__main__":
    main()
