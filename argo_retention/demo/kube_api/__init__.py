"""An emulator of the Kubernetes API, as small as the product and kubectl allow.

It stands in for a cluster in the demo, the tests and the bench. It knows Kubernetes, as recorded
from a real API server, and nothing of retention; nothing here imports the rest of the package.

It starts from a folder:

* `objects.ndjson`: one object a line, of any kind in `resources.py`, with apiVersion and kind.
  Metadata is kept as given (uid, resourceVersion, creationTimestamp, deletionTimestamp, ...) and
  completed where it is missing; so are the namespaces.
* `pod_logs.ndjson`: `{"namespace", "pod", "container": "main", "body" | "body_base64",
  "started_at"?}`, or `{..., "status": 503, "reason", "message"}` for a log that fails.
* `access.json`: `{"tokens": {TOKEN: {"user": NAME, "admin": true}}}`, or with `"rules": [{"verbs",
  "apiGroups", "resources", "namespaces"}]` in place of `admin`; `*` stands for all, and a rule
  without `namespaces` holds for the whole cluster.

An admin may also call, outside the paths of Kubernetes: `POST` and `DELETE /emulator/faults`,
`POST /emulator/compact`, `/emulator/pod_logs`, `/emulator/objects` and `/emulator/clock`.
"""
