"""Holds: a namespace, or one name in it, is kept whatever policy says, in the cluster and in the archive."""

from collections.abc import Iterable, Mapping

from argo_retention.core import labels
from argo_retention.core.ledger import Hold
from argo_retention.core.ports.cluster import Namespace
from argo_retention.errors import ConfigurationError

#: place (NAMESPACE or NAMESPACE/NAME) → why it is held, for people.
Holds = Mapping[str, str]


def holds_of(namespaces: Iterable[Namespace], holds: Iterable[Hold] = ()) -> Holds:
    """Namespaces with our annotation, and what was held by `argo-retention hold`."""
    found = {
        namespace.name: f"namespace {namespace.name} has {labels.HOLD}: {namespace.annotations[labels.HOLD]}"
        for namespace in namespaces
        if labels.HOLD in namespace.annotations
    }
    return found | {hold.place: describe(hold) for hold in holds}


def describe(hold: Hold) -> str:
    """One hold of our table as a person reads it."""
    since = f" since {hold.since:%Y-%m-%d %H:%MZ}" if hold.since else ""
    until = f" until {hold.until:%Y-%m-%d %H:%MZ}" if hold.until else ""
    return f"{hold.place}, by {hold.by_whom}{since}{until}: {hold.because}"


def why_held(holds: Holds, *, namespace: str, name: str) -> str | None:
    """Why this workflow is held by its place; None where it is not."""
    why = holds.get(namespace)
    return why if why is not None else holds.get(f"{namespace}/{name}")


def place_of(text: str) -> str:
    """NAMESPACE or NAMESPACE/NAME as a person gave it. Raises ConfigurationError."""
    namespace, slash, name = text.partition("/")
    if not namespace or "/" in name or (slash and not name) or text != text.strip():
        raise ConfigurationError(
            f"expected NAMESPACE or NAMESPACE/WORKFLOW to hold, found {text!r}.\n"
            "For example: ci, or ci/build-7f2xk."
        )
    return text
