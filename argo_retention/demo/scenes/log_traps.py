"""Traps around logs: keys that workflows share, logs that cannot be read, and logs that are really lost."""

from argo_retention.demo.scenes.trap_setter import EXPIRED, TRAPS, TWIN, TrapSetter


def shared_log_key(trap: TrapSetter) -> None:
    """The default key has no namespace: the expired row of one names the object that the other one needs."""
    first = trap.run("trap-shared-log-key", age=EXPIRED, stored=True)
    trap.stage.put_row(first)
    second = trap.run("trap-shared-log-key", namespace=TWIN, stored=True)
    trap.stage.put_live(second)
    trap.register(
        first,
        "row expires, object stays",
        trap="trap-shared-log-key-expired",
        live=False,
        row=False,
        keeps=first.objects,
    )
    trap.register(second, "archived, deleted, object stays", keeps=second.objects)


def same_name_in_two_namespaces(trap: TrapSetter) -> None:
    """Neither log is stored and both want the same key: the second one saved gets a key with its uid."""
    first = trap.run("trap-same-name")
    second = trap.run("trap-same-name", namespace=TWIN)
    for run, name in ((first, "trap-same-name"), (second, "trap-same-name-twin")):
        trap.stage.put_live(run)
        trap.register(run, "both logs saved, then deleted", trap=name, keeps=run.objects)


def same_name_again(trap: TrapSetter) -> None:
    """It ran again under its name after the first was archived: the object is the second one's by now."""
    first = trap.run("trap-same-name-again", age=EXPIRED, salt="first", stored=True)
    trap.stage.put_row(first)
    second = trap.run("trap-same-name-again", says="the second run\n", stored=True)
    trap.stage.put_live(second)
    trap.register(
        first,
        "row expires, object stays",
        trap="trap-same-name-before",
        live=False,
        row=False,
        keeps=first.objects,
    )
    trap.register(second, "archived, deleted, object stays", keeps=second.objects)


def pod_gone(trap: TrapSetter) -> None:
    """Its pod is gone and nobody stored the log: that is proof of its loss, so it does not hold it."""
    run = trap.run("trap-pod-gone")
    trap.stage.put_live(run, with_pods=False)
    trap.register(run, "archived, one log lost, deleted", loses=run.objects)


def pod_of_another(trap: TrapSetter) -> None:
    """A pod of that name is there and belongs to another workflow: its log must not be taken for ours."""
    run = trap.run("trap-pod-of-another")
    other = trap.run("trap-pod-of-another", salt="another", says="of another workflow\n")
    trap.stage.put_live(run, with_pods=False)
    trap.stage.objects.extend(other.pods)
    trap.stage.pod_logs.append(
        {"namespace": TRAPS, "pod": other.logs[0].pod, "body": "of another workflow\n"}
    )
    trap.register(run, "archived, one log lost, deleted", loses=run.objects)


def memoized(trap: TrapSetter) -> None:
    """Its node never had a pod and names the log of another run: that object must outlive that run's row."""
    source = trap.run("trap-memoized-source", age=EXPIRED, stored=True)
    trap.stage.put_row(source)
    run = trap.run("trap-memoized")
    [node], [log] = run.nodes.values(), source.logs
    artifact = {"name": "main-logs", "s3": {"key": log.key}}
    node |= {
        "memoizationStatus": {"hit": True, "key": "v1", "cacheName": "trap-cache"},
        "outputs": {"exitCode": "0", "artifacts": [artifact]},
    }
    del node["hostNodeName"]
    trap.stage.put_live(run, with_pods=False)
    trap.register(source, "row expires, object stays", live=False, row=False, keeps=source.objects)
    trap.register(run, "archived, deleted, the other's object stays", keeps=source.objects)


def log_forbidden(trap: TrapSetter) -> None:
    """Its log answers 403: not a proof that it is lost, so it stays."""
    _unreadable(
        trap,
        "trap-log-403",
        status=403,
        reason="Forbidden",
        message='pods "trap-log-403" is forbidden: cannot get resource "pods/log"',
    )


def log_unavailable(trap: TrapSetter) -> None:
    """Its log answers 503: not a proof that it is lost, so it stays."""
    _unreadable(
        trap,
        "trap-log-503",
        status=503,
        reason="ServiceUnavailable",
        message="the server is currently unable to handle the request",
    )


def log_refused_in_body(trap: TrapSetter) -> None:
    """The kubelet answers 200 and its body is the runtime's refusal: that text is no log."""
    _unreadable(
        trap,
        "trap-log-refused-in-body",
        body=f"unable to retrieve container logs for containerd://{'5b' * 32}",
    )


def _unreadable(trap: TrapSetter, name: str, **answer: object) -> None:
    run = trap.run(name)
    trap.stage.put_live(run)
    trap.stage.pod_logs[-1].pop("body")
    trap.stage.pod_logs[-1] |= answer
    trap.register(
        run,
        "archived and stays: its log is not settled",
        stays=True,
        reason="unsettled_logs",
        loses=run.objects,
    )
