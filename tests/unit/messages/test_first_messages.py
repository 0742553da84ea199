"""The first message of its kind, read by many threads at once, ends no process.

msgspec crashes there (a segmentation fault), where it is asked without care; each attempt takes a
process of its own, since only the first message of a process is a first one.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

SCRIPT = """
import sys, threading
sys.setswitchinterval(1e-6)
{prepare}
start = threading.Barrier(12)
def read():
    start.wait()
    {read}
threads = [threading.Thread(target=read) for _ in range(12)]
for each in threads: each.start()
for each in threads: each.join()
"""
READERS = {
    "a receipt that a client gets": (
        "from sightline.messages import Receipt, decode, encode, examples\n"
        "data = encode(examples.RECEIPT)",
        "decode(data, Receipt)",
    ),
    "a sensor out of TOML": (
        "import msgspec\n"
        "from sightline.messages import Frame, convert, encode, examples\n"
        "data = msgspec.json.decode(encode(examples.FRAME))",
        "convert(data, Frame)",
    ),
    "what pods say at a switch": (
        "from sightline.colours import report\n"
        'data = b\'{"draining": true, "details": {"sinks": [{"name": "tak"}], "models": []}}\'',
        "report.read(200, data)",
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_of_many_threads_all_can_read_it(name: str) -> None:
    prepare, read = READERS[name]
    script = SCRIPT.format(prepare=prepare, read=read)
    for _ in range(6):
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
