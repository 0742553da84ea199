"""PyTAK, the client library that most TAK tools are built on, beside us on one real server."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from fakes.bad_days import attribute
from running import Gateway, TakClient, Taky, report, started, wait_for

_PROGRAM = """
import asyncio, configparser, sys, pytak

PORT, COUNT = int(sys.argv[1]), int(sys.argv[2])

class Show(pytak.QueueWorker):
    async def handle_data(self, data):
        print(data.decode(), flush=True)
    async def run(self):
        while True:
            await self.handle_data(await self.queue.get())

class Send(pytak.QueueWorker):
    async def handle_data(self, data):
        await self.put_queue(data)
    async def run(self):
        for number in range(COUNT):
            await self.handle_data(pytak.gen_cot(uid=f"foreign-{number}", cot_type="a-f-G"))
            await asyncio.sleep(0.005)

async def main():
    config = configparser.ConfigParser()
    config["x"] = {"COT_URL": f"tcp://127.0.0.1:{PORT}"}
    tool = pytak.CLITool(config["x"])
    await tool.setup()
    tool.add_tasks({Show(tool.rx_queue, config["x"]), Send(tool.tx_queue, config["x"])})
    print("READY", flush=True)
    await tool.run()

asyncio.run(main())
"""


@contextlib.contextmanager
def pytak(folder: Path, port: int, *, sends: int = 0) -> Iterator[Path]:
    """Writes down what it hears, and sends so many events of its own."""
    log = folder / "pytak.log"
    with log.open("wb") as output:
        client = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(port), str(sends)],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: "READY" in log.read_text(), what="pytak connected")
        yield log
    finally:
        client.terminate()
        client.wait(10)


def test_a_pytak_client_reads_our_events(tmp_path: Path, taky: Taky) -> None:
    with pytak(tmp_path, taky.port) as log, started(Gateway(tmp_path, sink=taky.url)) as gateway:
        uids = [each["uid"] for each in gateway.post(report("1")).json["results"]]
        wait_for(lambda: all(uid in log.read_text() for uid in uids), what=log.read_text())


def test_events_of_others_that_come_our_way_do_not_disturb_us(tmp_path: Path, taky: Taky) -> None:
    eye = TakClient(taky.port)
    with started(Gateway(tmp_path, sink=taky.url)) as gateway:
        wait_for(lambda: gateway.get("/v1/sinks")["sinks"][0]["state"] == "connected")
        with pytak(tmp_path, taky.port, sends=300) as log:
            uids = [
                each["uid"]
                for frame in range(30)
                for each in gateway.post(report(str(frame))).json["results"]
            ]
            foreign = {f"foreign-{number}" for number in range(300)}
            wait_for(
                lambda: foreign <= {attribute(event, b"uid") for event in eye.events},
                what="the foreign events at the third one",
            )
            wait_for(lambda: all(uid in log.read_text() for uid in uids), what="ours at pytak")
            wait_for(lambda: gateway.get("/v1/sinks")["sinks"][0]["lag_events"] == 0, what="pong")
            sink = gateway.get("/v1/sinks")["sinks"][0]
            assert (sink["reconnects"], sink["dead_letters"], sink["last_error"]) == (0, 0, None)
    eye.close()
