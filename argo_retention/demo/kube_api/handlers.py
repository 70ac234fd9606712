"""What each verb on a resource answers."""

import msgspec

from argo_retention.demo.kube_api.clock import Clock
from argo_retention.demo.kube_api.deleting import DeleteOptions, Deleter
from argo_retention.demo.kube_api.listing import Lister, ListRequest, Page, Selection
from argo_retention.demo.kube_api.messages import Form, Request, Response
from argo_retention.demo.kube_api.pod_logs import PodLogs
from argo_retention.demo.kube_api.records import Record
from argo_retention.demo.kube_api.routes import Target
from argo_retention.demo.kube_api.statuses import ApiError
from argo_retention.demo.kube_api.store import Store
from argo_retention.demo.kube_api.tables import table
from argo_retention.demo.kube_api.watching import WatchRequest, watch
from argo_retention.demo.kube_api.writing import Writer, existing


class Handlers:
    """The verbs of the API, over one store."""

    def __init__(
        self,
        *,
        store: Store,
        lister: Lister,
        writer: Writer,
        deleter: Deleter,
        logs: PodLogs,
        clock: Clock,
    ) -> None:
        self._store = store
        self._lister = lister
        self._writer = writer
        self._deleter = deleter
        self._logs = logs
        self._clock = clock

    def answer(self, request: Request, target: Target) -> Response:
        """Answer a request that is allowed.

        Raises:
            ApiError: the failure to answer with.
        """
        if target.subresource == "log":
            return self._log(request, target)
        match target.verb(request):
            case "get":
                return Response(body=self._rendered(request, [self._existing(target)])[0])
            case "list":
                return Response(body=self._list(request, target))
            case "watch":
                return self._watch(request, target)
            case "create":
                body = self._writer.create(
                    target.resource, target.namespace, request.body, dry_run=request.is_dry_run
                )
                return Response(status=201, body=body + b"\n")
            case "update":
                body = self._writer.update(
                    self._existing(target), request.body, dry_run=request.is_dry_run
                )
            case "patch":
                body = self._writer.patch(
                    self._existing(target),
                    request.content_type,
                    request.body,
                    dry_run=request.is_dry_run,
                )
            case "delete":
                options = DeleteOptions.from_request(request.body, request.query)
                body = self._deleter.delete(self._existing(target), options)
            case "deletecollection":
                return Response(body=self._delete_collection(request, target))
            case _:
                message = "the server does not allow this method on the requested resource"
                raise ApiError(405, "MethodNotAllowed", message, details={})
        return Response(body=body + b"\n")

    def _existing(self, target: Target) -> Record:
        return existing(self._store, target.resource, target.namespace, target.name)

    def _selection(self, request: Request, target: Target) -> Selection:
        return Selection(
            resource=target.resource,
            namespace=target.namespace,
            label_text=request.query.get("labelSelector", ""),
            field_text=request.query.get("fieldSelector", ""),
        )

    def _rendered(self, request: Request, records: list[Record]) -> list[bytes]:
        match request.form:
            case Form.FULL:
                return [record.full + b"\n" for record in records]
            case Form.METADATA:
                return [record.partial + b"\n" for record in records]
            case Form.TABLE:
                return [self._row(request, record) for record in records]

    def _row(self, request: Request, record: Record) -> bytes:
        document = table(
            record.resource,
            [record],
            metadata={"resourceVersion": str(record.version)},
            include_object=request.query.get("includeObject", "Metadata"),
            now=self._clock.now(),
        )
        return msgspec.json.encode(document) + b"\n"

    def _list(self, request: Request, target: Target) -> bytes:
        selection = self._selection(request, target)
        page = self._lister.page(ListRequest.from_query(selection, request.query))
        return self._page(request, page)

    def _page(self, request: Request, page: Page) -> bytes:
        match request.form:
            case Form.FULL:
                return page.full()
            case Form.METADATA:
                return page.partial()
            case Form.TABLE:
                document = table(
                    page.resource,
                    page.records,
                    metadata=page.metadata(),
                    include_object=request.query.get("includeObject", "Metadata"),
                    now=self._clock.now(),
                )
                return msgspec.json.encode(document) + b"\n"

    def _watch(self, request: Request, target: Target) -> Response:
        selection = self._selection(request, target)
        selection.predicate()  # A broken selector is answered at once, not in the stream.
        form = request.form
        wanted = WatchRequest.from_query(
            selection, request.query, metadata_only=form is Form.METADATA
        )

        def render(record: Record) -> bytes:
            return self._rendered(request, [record])[0].rstrip(b"\n")

        return Response(stream=watch(self._store, wanted, render))

    def _delete_collection(self, request: Request, target: Target) -> bytes:
        selection = self._selection(request, target)
        page = self._lister.page(ListRequest.from_query(selection, request.query))
        options = DeleteOptions.from_request(request.body, request.query)
        self._deleter.delete_collection(page.records, options)
        return self._page(request, page)

    def _log(self, request: Request, target: Target) -> Response:
        if request.method != "GET":
            raise ApiError(405, "MethodNotAllowed", "a log can only be read", details={})
        body = self._logs.read(self._existing(target), request.query)
        if body is None:
            return Response(status=204)
        return Response(body=body, content_type=b"text/plain")
