"""P3 by the clock: the real daemon's schedules archive, delete and expire, and its sensor reports."""

import pytest

from argo_retention.cli.executing import dagster_instance
from argo_retention.defs.keys import LIVE_WORKFLOWS, TRIGGER_TAG
from argo_retention_tests.faults.test_services_die import wait_for
from argo_retention_tests.soak.installation import BUCKET, installation
from argo_retention_tests.soak.judging import OURS, bucket_of, judge, query
from argo_retention_tests.soak.traffic import Traffic

WORKFLOWS = 30


@pytest.mark.timeout(900)
def test_p3_rows_that_live_a_minute_are_gone_after_the_next_tick_with_their_logs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with installation(keep=0, ttl="1m") as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        traffic = Traffic(
            url=made.api_url,
            token=made.scene.admin_token,
            rate=10,
            s3=made.servers.s3_address,
            bucket=BUCKET,
        )
        traffic.start()
        wait_for("traffic", lambda: len(traffic.made) >= WORKFLOWS)
        traffic.stop()

        def count(statement: str) -> int:
            [row] = query(made.servers, statement)
            return int(row["n"])

        rows = "SELECT count(*) AS n FROM argo_archived_workflows"
        expired = "SELECT count(*) AS n FROM argo_retention.expiry_units WHERE stage = 'done'"
        wait_for("rows", lambda: count(rows) > 0)
        wait_for("expiry", lambda: count(expired) == len(traffic.made))

        def reported() -> bool:
            with dagster_instance() as instance:
                return bool(instance.fetch_materializations(LIVE_WORKFLOWS, limit=1).records)

        wait_for("the sensor's report", reported)
        made.stop_services()

        assert count(rows) == 0
        assert [key for key in bucket_of(made.servers).keys("") if not key.startswith(OURS)] == []
        with dagster_instance() as instance:
            jobs = {
                run.job_name
                for run in instance.get_runs(limit=100)
                if run.tags.get(TRIGGER_TAG) == "schedule"
            }
        assert jobs == {"argo_retention", "argo_expiry"}
        judgement = judge(made.servers, traffic.made)
        assert not judgement.half
        assert not judgement.orphan
