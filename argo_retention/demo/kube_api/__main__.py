"""Run the emulator: `python -m argo_retention.demo.kube_api --state DIR --ready-file FILE`."""

import asyncio
import os
import socket
from pathlib import Path

import click
import uvicorn

from argo_retention.demo.kube_api.app import DEFAULT_HISTORY_BYTES, KubeApi

#: Watches are cut when the server stops; nobody should wait for them.
_SHUTDOWN_SECONDS = 1


def stop_at_end_of_input(server: uvicorn.Server) -> None:
    """Stop the server when its standard input closes, as it does when its parent dies."""

    def on_input() -> None:
        if not os.read(0, 4096):
            asyncio.get_running_loop().remove_reader(0)
            server.should_exit = True

    asyncio.get_running_loop().add_reader(0, on_input)


@click.command()
@click.option("--state", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=0, show_default=True, help="0 takes a free one.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Gets the URL once it serves.")
@click.option("--history-bytes", default=DEFAULT_HISTORY_BYTES, show_default=True)
@click.option("--until-input-ends", is_flag=True, help="Stop when standard input closes.")
def main(
    *,
    state: Path,
    host: str,
    port: int,
    ready_file: Path | None,
    history_bytes: int,
    until_input_ends: bool,
) -> None:
    """Serve the Kubernetes API from the files of a folder."""
    app = KubeApi.from_folder(state, history_bytes=history_bytes)
    listener = socket.create_server((host, port), backlog=1024)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    server = uvicorn.Server(config)
    if ready_file is not None:
        # The socket listens already: a client that connects from here on is served.
        temporary = ready_file.with_suffix(".tmp")
        temporary.write_text(f"http://{host}:{listener.getsockname()[1]}")
        temporary.rename(ready_file)

    async def serve() -> None:
        if until_input_ends:
            stop_at_end_of_input(server)
        await server.serve(sockets=[listener])

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(serve())


if __name__ == "__main__":
    main()
