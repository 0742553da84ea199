"""The calls of the Open Inference Protocol in a process of their own, over the models of a folder.

python tests/tensor_server.py FOLDER PORT_FILE MAX_BYTES
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import uvicorn

from detection.tensors.routes import TensorCalls
from fakes.tensors import OnnxModels
from serving.application import application
from serving.probes import Readiness
from telemetry import metrics


def main() -> None:
    folder, port_file, max_bytes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    calls = TensorCalls(
        models=OnnxModels.of(folder),
        service="tensors",
        version="9.8.7",
        max_bytes=max_bytes,
        deadline_seconds=10.0,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    port_file.write_text(str(listening.getsockname()[1]))
    app = application(
        routes=calls.routes(),
        metrics=metrics.registry(service="tensors", version="9.8.7", colour="blue"),
        readiness=Readiness(),
    )
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", server_header=False))
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
