"""Snapshots in notebooks: one as a pandas DataFrame, or what happened between two.

    before = load_snapshot("s3://logs/argo-retention/snapshots/prod/<run>.parquet", endpoint="minio:9000")
    after = load_snapshot("snapshots/prod/<another run>.parquet")
    compare_snapshots(before, after)

The URI of each snapshot is in the metadata of the asset `workflow_snapshot`.
"""

from collections.abc import Mapping

# Nothing else of this package imports this module, so that pandas (measured: 0.2 s and 45 MB) is paid for in
# notebooks only, where it is wanted at once.
import pandas as pd

from argo_retention.adapters.parquet_tables import open_tables
from argo_retention.core.s3_credentials import S3Credentials

COMPARISON_COLUMNS: Mapping[str, str] = {
    "change": "appeared, vanished, or changed",
    "namespace": "metadata.namespace",
    "name": "metadata.name",
    "uid": "metadata.uid: the identity of a workflow; names are used again, uids are not",
    "phase_before": "phase in the first snapshot; missing where it appeared",
    "phase_after": "phase in the second snapshot; missing where it vanished",
    "changed_columns": "names of the columns that differ, sorted; empty unless changed",
}


def load_snapshot(
    uri_or_path: str,
    *,
    endpoint: str = "",
    region: str = "",
    insecure: bool = False,
    credentials: S3Credentials | None = None,
) -> pd.DataFrame:
    """The workflows of a snapshot, one a row (or the decisions of a plan); the README describes the columns.

    Labels and annotations are dicts, finalizers and owners lists, times UTC. The arguments after the address
    are for s3:// only: endpoint (host:port or URL; Amazon's if empty), region, insecure (http instead of
    https), and keys (None: those of the environment). Raises ObjectStoreError where it cannot be read.
    """
    folder, _, name = uri_or_path.rpartition("/")
    tables = open_tables(
        folder or ("/" if uri_or_path.startswith("/") else "."),
        endpoint=endpoint,
        region=region,
        insecure=insecure,
        credentials=credentials,
        make_folder=False,
    )
    frame: pd.DataFrame = tables.read_arrow(name).to_pandas(maps_as_pydicts="strict")
    for column in ("finalizers", "owners"):
        if column in frame:
            frame[column] = pd.Series([list(value) for value in frame[column]], dtype=object)
    return frame


def compare_snapshots(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Which workflows appeared, vanished or changed, in the order of namespace, name and uid.

    A workflow is followed by its uid; the columns of the answer are `COMPARISON_COLUMNS`.
    """
    first, second = before.set_index("uid"), after.set_index("uid")
    both = first.index.intersection(second.index, sort=False)
    left, right = first.loc[both], second.loc[both]
    differs = pd.DataFrame(
        {
            column: [a != b and not (_is_missing(a) and _is_missing(b)) for a, b in pairs]
            for column in sorted(left.columns.intersection(right.columns))
            for pairs in [zip(left[column], right[column], strict=True)]
        },
        index=both,
    )
    changed = both[differs.any(axis="columns").to_numpy(dtype=bool)]
    parts = [
        _part("appeared", second.loc[second.index.difference(first.index)], after=True),
        _part("vanished", first.loc[first.index.difference(second.index)], before=True),
        _part("changed", right.loc[changed], after=True).assign(
            phase_before=left.loc[changed, "phase"].to_numpy(),
            changed_columns=[list(differs.columns[row]) for row in differs.loc[changed].to_numpy()],
        ),
    ]
    whole = pd.concat([part.astype(object) for part in parts], ignore_index=True)
    return whole.sort_values(["namespace", "name", "uid"], ignore_index=True)


def _part(
    change: str, workflows: pd.DataFrame, *, before: bool = False, after: bool = False
) -> pd.DataFrame:
    nothing = [None] * len(workflows)
    return pd.DataFrame(
        {
            "change": change,
            "namespace": workflows["namespace"].to_numpy(),
            "name": workflows["name"].to_numpy(),
            "uid": workflows.index.to_numpy(),
            "phase_before": workflows["phase"].to_numpy() if before else nothing,
            "phase_after": workflows["phase"].to_numpy() if after else nothing,
            "changed_columns": [[] for _ in nothing],
        },
        columns=list(COMPARISON_COLUMNS),
    )


def _is_missing(value: object) -> bool:
    return value is None or value != value or value is pd.NaT  # noqa: PLR0124  NaN alone differs from itself
