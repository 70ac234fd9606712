"""The contract suite of the cluster port, on a real kube-apiserver.

Left out, each with its reason:

* the cascade from owner to dependant: done by the garbage collector of kube-controller-manager, not by the server;
* a watch from a compacted version: the server's watch cache still knows it (the answer is recorded in golden data).
"""

from argo_retention_tests.contracts.test_cluster import *  # noqa: F403
from argo_retention_tests.contracts.test_cluster_pods import *  # noqa: F403

del test_children_go_with_their_owner  # type: ignore[name-defined]  # noqa: F821
del test_a_watch_from_a_forgotten_version_is_expired  # type: ignore[name-defined]  # noqa: F821
