"""Our steps and the rivals' in any order; after each step nothing may be lost, half, or without a word."""

import contextlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from psycopg.rows import dict_row

from argo_retention.errors import ArgoRetentionError, LeaseHeldError
from argo_retention.operations import snapshotting
from argo_retention.operations.archiving import archive_finished
from argo_retention.operations.collecting import collect
from argo_retention.operations.expiring import expire
from argo_retention.operations.expiry_plans import make_expiry_plan
from argo_retention.operations.labelling import label_archived
from argo_retention.operations.leasing import leased
from argo_retention.operations.planning import make_plan
from argo_retention.operations.snapshotting import take_snapshot
from argo_retention.operations.undoing import RowKeeper
from argo_retention.sites import open_site
from argo_retention_tests.e2e.oracle import NOTHING, Oracle
from argo_retention_tests.e2e.worlds import World
from argo_retention_tests.rivals.scene import AGES, Rivals

RETENTION = ("snapshot", "archive", "label", "plan", "collect")
EXPIRY = ("snapshot", "plan expiry", "expire")
STEPS: dict[str, Callable[..., Any]] = {
    "snapshot": take_snapshot,
    "archive": archive_finished,
    "label": label_archived,
    "plan": make_plan,
    "collect": collect,
    "plan expiry": make_expiry_plan,
    "expire": expire,
}
#: Where a rival may act in the middle of a step of ours: before the nth call of a method of a port.
MOMENTS = (
    ("cluster", "delete_workflows"),
    ("cluster", "get_workflow"),
    ("cluster", "mark_archived"),
    ("cluster", "list_metadata"),
    ("archive", "write_rows"),
    ("archive", "record_deletions"),
    ("archive", "lock_rows"),
    ("archive", "record_units"),
    ("archive", "expire_rows"),
    ("archive", "claim_plan"),
)
ON_LIVE = ("argo_archives", "argo_deletes", "patches_labels", "retries", "ends", "applies", "holds")
ON_ROWS = ("deletes_row",)
ON_OBJECTS = ("takes_object", "overwrites_object")
ACTS = st.tuples(
    st.sampled_from(
        [*ON_LIVE, *ON_LIVE, *ON_ROWS, *ON_OBJECTS, "finishes", "finishes", "finishes"]
    ),
    st.integers(0, 30),
)
MOMENT = st.tuples(st.sampled_from(MOMENTS), st.integers(1, 2), ACTS)
#: Outcomes by which the ledger answers for a workflow that is not there.
ANSWERED = {"deleted", "gone", "vanished", "intended", "terminating"}


class RivalsMachine(RuleBasedStateMachine):
    """One installation; each example has a world of its own."""

    new_world: ClassVar[Callable[[], contextlib.AbstractContextManager[World]]]
    counted: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        self.job = contextlib.ExitStack()
        self.left: list[str] = []  # steps of the job that is under way
        self.site: Any = None
        self.grant: Any = None

    @initialize()
    def begin(self) -> None:
        self.world = self.stack.enter_context(type(self).new_world())
        # One connection for all that is asked: the oracle asks after each step.
        session = self.stack.enter_context(
            psycopg.connect(self.world.dsn, autocommit=True, row_factory=dict_row)
        )
        self.world.query = lambda statement, *values: session.execute(statement, values).fetchall()  # type: ignore[method-assign]
        self.rivals = Rivals(self.world)
        for age in AGES:
            for phase in ("Succeeded", "Failed"):
                self.rivals.finishes(phase=phase, age=age)

    def teardown(self) -> None:
        try:
            if hasattr(self, "rivals"):
                self._end()
        finally:
            self.job.close()
            self.stack.close()

    # -- rivals -------------------------------------------------------------------------------------------

    @rule(acts=st.lists(ACTS, min_size=1, max_size=4))
    def somebody_acts(self, acts: list[tuple[str, int]]) -> None:
        for act in acts:
            self.counted["act"] += 1
            self._act(act)

    def _act(self, act: tuple[str, int]) -> None:
        name, place = act
        if name == "finishes":
            phase = "Failed" if place % 3 == 0 else "Succeeded"
            self.rivals.finishes(phase=phase, age=AGES[place % len(AGES)])
            return
        if name in ON_LIVE:
            subjects: list[Any] = [
                each for _, each in sorted(self.world.live().items()) if "metadata" in each
            ]
        elif name in ON_ROWS:
            subjects = sorted(self.world.rows())
        else:
            subjects = sorted(key for _, key in self.world.objects())
        if subjects:
            getattr(self.rivals, name)(subjects[place % len(subjects)])

    # -- our runs -----------------------------------------------------------------------------------------

    @rule(
        steps=st.sampled_from([RETENTION, RETENTION, EXPIRY]),
        moment=st.none() | MOMENT | MOMENT,
        second=st.booleans(),
    )
    def we_work(self, steps: tuple[str, ...], moment: Any, second: bool) -> None:
        """The next step of our run, or the first of another; perhaps somebody starts a second one."""
        if not self.left:
            self.counted["run"] += 1
            self.site, self.grant = self.job.enter_context(self._run())
            self.left = list(steps)
        if second:
            self._second_run_is_refused()
        self.counted["step"] += 1
        step = self.left.pop(0)
        self.rivals.acts.append(f"-- {step}")
        try:
            with self._acting(moment):
                STEPS[step](self.site, self.grant)
        except ArgoRetentionError as error:
            self.rivals.acts.append(f"   {type(error).__name__}: {str(error)[:100]}")
            self.left = []
        if not self.left:
            self.job.close()

    def _second_run_is_refused(self) -> None:
        self.counted["second run"] += 1
        try:
            with self._run():
                raise AssertionError("two runs hold the lease")
        except LeaseHeldError:
            pass

    @precondition(lambda self: not self.left)
    @rule(how_far=st.integers(1, len(RETENTION)))
    def an_older_release_runs(self, how_far: int) -> None:
        """It knows neither the counter of runs nor undo; what it does is in the same ledger."""
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.suppress(ArgoRetentionError),
            self._run() as (site, grant),
        ):
            for name in ("begin_run", "check_identity"):
                patch.setattr(snapshotting, name, lambda *_, **__: None)
            patch.setattr(snapshotting, "note_vanished", lambda *_, **__: [])
            patch.setattr(RowKeeper, "keep", lambda *_: None)
            for step in RETENTION[:how_far]:
                self.counted["step of an older release"] += 1
                STEPS[step](site, grant)

    @contextlib.contextmanager
    def _run(self) -> Iterator[tuple[Any, Any]]:
        run = str(uuid.uuid4())
        with (
            open_site(
                self.world.settings,
                self.world.scene.name,
                run_id=run,
                root_run=run,
                by_whom="the machine",
            ) as site,
            leased(site, host="here", is_finished=lambda _: False) as grant,
        ):
            yield site, grant

    @contextlib.contextmanager
    def _acting(self, moment: Any) -> Iterator[None]:
        """Let a rival act before the nth call of a method, once."""
        if moment is None:
            yield
            return
        (port, method), number, act = moment
        target = getattr(self.site, port)
        original = getattr(target, method)
        calls = 0

        def called(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == number:
                self.counted["act in the middle"] += 1
                self.rivals.acts.append(f"   in {method}:")
                self._act(act)
            return original(*arguments, **options)

        setattr(target, method, called)
        try:
            yield
        finally:
            delattr(target, method)

    # -- the oracle ---------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "rivals") or not self._has_tables():
            return
        rivals, world = self.rivals, self.world
        live = set(world.live())
        rows = world.rows()
        ledger: dict[str, set[str]] = {}
        for each in world.ledger("deletions"):
            ledger.setdefault(each["uid"], set()).add(each["outcome"])
        units = {unit["uid"]: unit for unit in world.ledger("expiry_units")}
        ever = {each["metadata"]["uid"] for each in world.scene.workflows}
        for uid in ever - live - rivals.live_taken:
            assert ledger.get(uid, set()) & ANSWERED, self._told(f"{uid} left without a word")
            expired = uid in units and units[uid]["reason"]
            assert uid in rows or uid in rivals.rows_taken or expired, self._told(f"{uid} is lost")
            assert not (uid in rivals.rows_taken_while_live and uid not in rows), self._told(
                f"{uid} was deleted although its row had been deleted before"
            )
            assert uid not in rivals.held, self._told(f"{uid} was held and is deleted")
        rivals.rows_taken_while_live -= set(rows)
        rivals.rows_taken -= set(rows)
        findings = Oracle(world).look(taken_away=rivals.live_taken | rivals.rows_taken)
        lost = [
            each for each in findings.lost if not any(key in each for key in rivals.objects_taken)
        ]
        assert lost == [], self._told(str(lost))

    def _end(self) -> None:
        """Two quiet runs; then all is whole, and whoever went without us has a name in the ledger."""
        self.left = []
        self.job.close()
        for steps in (RETENTION, EXPIRY, RETENTION):
            with self._run() as (site, grant):
                for step in steps:
                    try:
                        STEPS[step](site, grant)
                    except ArgoRetentionError as error:
                        raise AssertionError(self._told(f"{step}: {error}")) from error
            self.nothing_is_lost()
        rivals = self.rivals
        findings = Oracle(self.world).look(taken_away=rivals.live_taken | rivals.rows_taken)
        findings.lost.clear()  # judged above
        # The logs of a row that somebody deleted have their grace, from when it was first missed.
        names = {
            each["metadata"]["uid"]: each["metadata"]["name"] for each in self.world.scene.workflows
        }
        excused = rivals.objects_taken | {names[uid] for uid in rivals.rows_taken}
        findings.orphan[:] = [
            each for each in findings.orphan if not any(key in each for key in excused)
        ]
        missed = {unit["uid"] for unit in self.world.ledger("expiry_units")}
        known = {each["uid"] for each in self.world.ledger("archived_versions")} & {
            each["uid"] for each in self.world.ledger("log_objects") if each["state"] == "stored"
        }
        silent = (rivals.rows_taken & known) - set(self.world.live()) - missed
        assert not silent, self._told(f"the row was deleted and nobody says so: {silent}")
        assert findings == NOTHING, self._told(str(findings))

    def _has_tables(self) -> bool:
        [answer] = self.world.query(
            "SELECT to_regclass('argo_retention.leases') IS NOT NULL AS made"
        )
        return bool(answer["made"])

    def _told(self, what: str) -> str:
        return "\n".join([what, *self.rivals.acts])
