"""Why a step failed, as our own errors say it."""

from typing import Any

from dagster._core.errors import DagsterExecutionInterruptedError

from argo_retention.errors import ArgoRetentionError

STOPPED = "The run was stopped. What it had begun is recorded; the next run goes on."
WHOLE_TRACE = "The run's events in Dagster's UI have the whole trace."


def failure_of(data: Any) -> tuple[str, int]:
    """(message, exit code) of our own error in the chain of causes; else Dagster's first line."""
    ours = our_failure(data)
    if ours is not None:
        return ours
    innermost = _innermost(data.error)
    first = innermost.message.strip().splitlines()[0] if innermost is not None else ""
    return f"{first or 'The step failed'}\n{WHOLE_TRACE}", 1


def our_failure(data: Any) -> tuple[str, int] | None:
    """The same, and None where no error of ours is in the chain: others may say what is not for everybody."""
    codes = {cls.__name__: cls.exit_code for cls in _all_errors(ArgoRetentionError)}
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description, 1
    error = data.error
    while error is not None:
        if error.cls_name in codes:
            return error.message.partition(": ")[2].strip(), codes[error.cls_name]
        if error.cls_name == DagsterExecutionInterruptedError.__name__:
            return STOPPED, 1
        error = error.cause or error.context
    return None


def _innermost(error: Any) -> Any:
    while error is not None and (error.cause or error.context) is not None:
        error = error.cause or error.context
    return error


def _all_errors(root: type[ArgoRetentionError]) -> list[type[ArgoRetentionError]]:
    return [root, *(sub for cls in root.__subclasses__() for sub in _all_errors(cls))]
