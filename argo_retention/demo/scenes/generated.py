"""Workflows of three teams over 200 days, in all phases, as months of use leave them.

The further back, the fewer. What is older than ten days has gone from the cluster and has only its row and
its log objects; some of that is past its TTL.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from argo_retention.core.labels import ArchivingStatus
from argo_retention.demo.scenes.building import SceneBuilder, uid_of
from argo_retention.demo.scenes.origins import belong_to_cron, refer_to_template
from argo_retention.demo.scenes.scene import Document
from argo_retention.demo.scenes.tasks import Task
from argo_retention.demo.scenes.workflows import Maker, Shape

CI, TRAINING, ETL = "ci-build", "ml-train", "data-etl"
BUILD_TEMPLATE, NIGHTLY = "build", "nightly-orders"
SPAN = timedelta(days=200)
#: Older ones have gone from the cluster; the archive and the bucket have them.
IN_CLUSTER = timedelta(days=10)
#: Older pods have gone from the cluster.
PODS_THERE = timedelta(days=4)
#: Argo's archive was switched off two days ago: nothing younger has a row or the label.
ARCHIVE_OFF = timedelta(days=2)
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
#: One in how many young workflows whose executor could not reach the bucket.
_UNSAVED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class _Team:
    namespace: str
    count: int
    prefix: str
    tasks: Callable[[random.Random, str], list[Task]]
    shape: Shape
    labels: Callable[[random.Random], dict[str, str]]


def put_generated(stage: SceneBuilder, maker: Maker, *, now: datetime) -> None:
    """Put all workflows of the three teams on the stage."""
    _put_templates(stage)
    for team in _TEAMS:
        chance = random.Random(team.namespace)
        for index in range(team.count):
            age = SPAN * ((index + 0.5) / team.count) ** 3
            _put_one(stage, maker, team, chance, created=now - age, age=age)
        running = _with_last_phase(team.tasks(chance, "Succeeded"), "Running")
        run = maker.make(
            namespace=team.namespace,
            name=f"{team.prefix}-{_suffix(chance)}",
            created=now - timedelta(minutes=4),
            tasks=running,
            shape=team.shape,
            labels=team.labels(chance),
        )
        stage.put_live(run)


def _put_one(
    stage: SceneBuilder,
    maker: Maker,
    team: _Team,
    chance: random.Random,
    *,
    created: datetime,
    age: timedelta,
) -> None:
    phase = chance.choices(["Succeeded", "Failed", "Error"], weights=[80, 16, 4])[0]
    is_live, has_row = age < IN_CLUSTER, age > ARCHIVE_OFF
    run = maker.make(
        namespace=team.namespace,
        name=f"{team.prefix}-{_suffix(chance)}",
        created=created,
        tasks=team.tasks(chance, phase),
        shape=team.shape,
        labels=team.labels(chance),
        generate_name=f"{team.prefix}-",
        archiving=ArchivingStatus.ARCHIVED if has_row else "",
    )
    if team.namespace == CI:
        refer_to_template(run, BUILD_TEMPLATE)
    if team.namespace == ETL:
        uid = uid_of(stage.name, "CronWorkflow", ETL, NIGHTLY)
        belong_to_cron(run, NIGHTLY, uid=uid, scheduled=created)
    if has_row or chance.randrange(_UNSAVED):
        run.name_logs()
        stage.put_stored(run)
    if has_row:
        stage.put_row(run)
    if is_live:
        stage.put_live(run, with_pods=age < PODS_THERE)


def _put_templates(stage: SceneBuilder) -> None:
    container = {"image": "golang:1.26", "command": ["make"], "args": ["all"]}
    build = {"entrypoint": "main", "templates": [{"name": "main", "container": container}]}
    argo = "argoproj.io/v1alpha1"
    stage.put("WorkflowTemplate", BUILD_TEMPLATE, api_version=argo, namespace=CI, spec=build)
    nightly: Document = {"schedules": ["0 2 * * *"], "workflowSpec": build}
    stage.put("CronWorkflow", NIGHTLY, api_version=argo, namespace=ETL, spec=nightly)


def _suffix(chance: random.Random) -> str:
    return "".join(chance.choices(_SUFFIX_LETTERS, k=5))


def _with_last_phase(tasks: list[Task], phase: str) -> list[Task]:
    """The same tasks up to the one that ends in this phase: what follows it was never started."""
    return [*tasks[:-1], _with_phase(tasks[-1], phase)]


def _with_phase(task: Task, phase: str) -> Task:
    message = {
        "Failed": "main: Error (exit code 1)",
        "Error": "pod deleted during operation",
    }
    return replace(
        task,
        phase=phase,
        log=task.log if phase == "Running" else task.log + "error: stopped\n",
        message=message.get(phase, ""),
    )


def _ended(tasks: list[Task], phase: str, chance: random.Random) -> list[Task]:
    if phase == "Succeeded":
        return tasks
    return _with_last_phase(tasks[: chance.randint(1, len(tasks))], phase)


def _build(chance: random.Random, phase: str) -> list[Task]:
    commit, image = f"{chance.getrandbits(160):040x}", "registry.example.com/ci/builder:2026.10"
    env = {"COMMIT": commit, "BRANCH": chance.choice(["main", "release-7", "fix/login"])}
    work = (
        ("checkout", "git", "checkout", 6),
        ("compile", "make", "build", chance.randint(60, 240)),
        ("unit-test", "make", "test", chance.randint(60, 400)),
        ("publish", "make", "publish", 25),
    )
    tasks = [
        Task(
            name=name,
            template=name,
            image=image,
            command=(program,),
            args=(target, f"COMMIT={commit[:12]}"),
            seconds=seconds,
            env=env,
            failed_attempts=1 if name == "unit-test" and chance.random() < 0.2 else 0,  # flaky
            log="".join(
                f"[{name}] {commit[:12]} step {line} of {chance.randint(12, 16)}\n"
                for line in range(1, chance.randint(4, 12))
            ),
        )
        for name, program, target, seconds in work
    ]
    return _ended(tasks, phase, chance)


def _training(chance: random.Random, phase: str) -> list[Task]:
    rates = chance.sample(["1e-2", "3e-3", "1e-3", "3e-4", "1e-4"], k=chance.randint(1, 4))
    image, tasks = "registry.example.com/ml/torch:2.9", []
    tasks.append(_python("fetch", image, ("fetch.py", "--dataset", "clicks"), 90, "rows 1200000\n"))
    for rate in rates:
        lines = [f"epoch {epoch} loss {2 / (epoch + 1):.4f}\n" for epoch in range(12)]
        name = f"train-{rate.replace('.', '-')}"
        tasks.append(_python(name, image, ("train.py", "--lr", rate), 1500, "".join(lines)))
    tasks.append(_python("evaluate", image, ("evaluate.py",), 200, "auc 0.81\n"))
    return _ended(tasks, phase, chance)


def _etl(chance: random.Random, phase: str) -> list[Task]:
    image, rows = "registry.example.com/data/etl:14", chance.randint(10_000, 90_000)
    tasks = [
        _python(name, image, (f"{name}.py", "--table", "orders"), 60, f"{name} orders {rows}\n")
        for name in ("extract", "transform", "load")
    ]
    return _ended(tasks, phase, chance)


def _python(name: str, image: str, args: tuple[str, ...], seconds: int, log: str) -> Task:
    return Task(
        name=name,
        template=name.partition("-")[0],
        image=image,
        command=("python",),
        args=args,
        seconds=seconds,
        memory="4Gi",
        log=log,
    )


_TEAMS = (
    _Team(
        namespace=CI,
        count=110,
        prefix="build",
        tasks=_build,
        shape=Shape.STEPS,
        labels=lambda chance: {"team": "ci", "repository": chance.choice(["shop", "pay"])},
    ),
    _Team(
        namespace=TRAINING,
        count=36,
        prefix="train",
        tasks=_training,
        shape=Shape.DAG,
        labels=lambda chance: {"team": "ml", "tier": chance.choice(["gold", "silver", "silver"])},
    ),
    _Team(
        namespace=ETL,
        count=64,
        prefix="nightly-orders",
        tasks=_etl,
        shape=Shape.DAG,
        labels=lambda _: {"team": "data"},
    ),
)
