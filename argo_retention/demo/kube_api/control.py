"""The emulator's own calls, outside the paths of Kubernetes; for the admin's token only."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from argo_retention.demo.kube_api.faults import Faults
from argo_retention.demo.kube_api.listing import Lister
from argo_retention.demo.kube_api.messages import Request, Response
from argo_retention.demo.kube_api.pod_logs import PodLogs
from argo_retention.demo.kube_api.seeding import Seeder
from argo_retention.demo.kube_api.statuses import ApiError, bad_request
from argo_retention.demo.kube_api.store import Store


class _ClockSetting(msgspec.Struct, forbid_unknown_fields=True):
    offset_seconds: float


class Control:
    """Faults, compaction, and changes that no client of Kubernetes could make."""

    def __init__(
        self, *, store: Store, lister: Lister, logs: PodLogs, faults: Faults, seeder: Seeder
    ) -> None:
        self._store = store
        self._lister = lister
        self._logs = logs
        self._faults = faults
        self._seeder = seeder

    def answer(self, request: Request) -> Response:
        """Carry out one call.

        Raises:
            ApiError: 400 when the body is not what the call takes, 404 for an unknown call.
        """
        try:
            return Response(body=msgspec.json.encode(self._carry_out(request)))
        except (msgspec.DecodeError, KeyError, ValueError) as error:
            raise bad_request(f"{request.path}: {error}") from error

    def _carry_out(self, request: Request) -> Mapping[str, Any]:
        match request.method, request.path:
            case "POST", "/emulator/faults":
                self._faults.add(request.body)
            case "DELETE", "/emulator/faults":
                self._faults.clear()
            case "POST", "/emulator/compact":
                self._store.compact()
                self._lister.forget()
            case "POST", "/emulator/pod_logs":
                self._logs.put(msgspec.json.decode(request.body))
            case "POST", "/emulator/objects":
                record = self._seeder.put(request.body)
                self._lister.forget()
                return msgspec.json.decode(record.full, type=dict[str, Any])
            case "POST", "/emulator/clock":
                setting = msgspec.json.decode(request.body, type=_ClockSetting)
                self._seeder.clock.offset = timedelta(seconds=setting.offset_seconds)
            case _:
                raise ApiError(404, "NotFound", f"the emulator has no call {request.path}")
        return {"resourceVersion": str(self._store.version)}
