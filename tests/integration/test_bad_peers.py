"""One bad habit of a peer at a time, on real sockets: what it costs, and what it does not."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest
from takproto.proto import TakMessage

from cop_gateway.cot.protobuf import MAX_MESSAGE_BYTES
from cop_gateway.cot.stream import MAX_EVENT_BYTES
from cop_gateway.delivery.tcp import TcpTransport
from delivering import Scene
from fakes.bad_days import Behaviour, framed, machine

PATIENT = {"pong_seconds": 10.0, "keepalive_seconds": 60.0}
PONG = machine("t-x-c-t-r", uid="takPong")


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    """A port where connections are taken, and nothing is read unless the test does it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        yield server


async def test_a_peer_that_reads_no_more_does_not_keep_the_socket_nor_what_was_to_be_written():
    """It would for ever: its system says that it is alive."""
    with listening() as server:
        connection = await TcpTransport("127.0.0.1", server.getsockname()[1]).open()
        peer, _ = server.accept()
        with peer:
            size = 20_000_000  # far more than the system keeps for us
            sending = asyncio.create_task(connection.send(["x" * size]))
            await asyncio.sleep(0.05)
            assert not sending.done()
            sending.cancel()
            await connection.close()
            peer.settimeout(10)
            came = 0
            while data := await asyncio.to_thread(peer.recv, 1 << 16):
                came += len(data)
            assert came < size


async def test_a_peer_that_reads_slowly_gets_everything_on_one_connection():
    scene = Scene(pace=PATIENT, size=3_000, bite=97, receive_bytes=1, late=0.01)
    await scene.play(20)
    scene.check()
    assert scene.server.connections == 1


async def test_a_peer_that_takes_nothing_any_more_is_named_as_such():
    stuck = Behaviour(stalls_after=0, receive_bytes=1)
    scene = Scene([stuck] * 50, pace={"pong_seconds": 0.3, "batch_events": 40}, size=200_000)
    said = set()
    async with scene.under_way():
        scene.source.add(40)

        def complained() -> bool:
            said.add(scene.courier.describe(dead_letters=0).last_error)
            return bool(said & {"nothing could be sent for 0.3 s", "no pong within 0.3 s"})

        await scene.until(complained)
    assert scene.source.dead == {}
    assert scene.source.cursors["tak"] == 0


async def test_pongs_that_nobody_asked_for_settle_nothing_that_comes_after_them():
    scene = Scene(pace=PATIENT)
    async with scene.under_way():
        scene.source.add(3)
        await scene.settled()
        scene.server.say(PONG * 5)
        await asyncio.sleep(0.05)
        scene.server.behaviour.stalls_after = 0
        scene.source.add(3)
        await scene.until(lambda: scene.courier.describe(
            dead_letters=0).sent_cursor == 6)  # fmt: skip
        await asyncio.sleep(0.05)
        assert scene.courier.cursor == 3
        scene.server.behaviour.stalls_after = None
        scene.server.cut()
    assert scene.source.mistakes == []


async def test_a_peer_that_sends_our_ping_back_has_answered_it():
    """OpenTAKServer does; a pong of somebody else's that it hands on says nothing then."""
    scene = Scene(pace=PATIENT, echoes=True)
    async with scene.under_way():
        # The first ping goes alone when there is nothing else to say.
        await scene.until(lambda: scene.server.lives[:1] and scene.server.lives[0].pongs > 0)
        await asyncio.sleep(0.05)
        scene.source.add(3)
        await scene.settled()
        told = scene.courier.describe(dead_letters=0)
        assert told.acknowledges
        scene.server.behaviour.pongs = False
        scene.source.add(1)
        await scene.until(lambda: "event-4" in scene.server.lives[0].heard)
        scene.server.say(PONG * 3)
        await asyncio.sleep(0.05)
        assert scene.courier.cursor == 3
    assert scene.server.connections == 1


async def test_a_peer_that_loses_what_a_read_cuts_in_two_gets_it_all_the_same():
    """OpenTAKServer does, and answers the ping behind it: seen on the real one."""
    scene = Scene(pace=PATIENT, size=300, echoes=True, loses=True)
    scene.server.behaviour.bite = 4_096
    await scene.play(60, 60)
    scene.check()
    assert set(scene.source.wanted) == {uid for life in scene.server.lives for uid in life.heard}
    assert scene.server.connections == 2


async def test_a_ping_while_the_protocol_changes_is_no_deadlock():
    """Whoever waits until it may write does not read the answer that it waits for."""
    scene = Scene(pace=PATIENT, offers_protobuf=True, asks_amid=True)
    async with scene.under_way():
        await scene.until(lambda: "t-x-takp-q" in scene.server.kinds())
        scene.source.add(6)
        await scene.settled()
    scene.check()
    assert scene.server.connections == scene.server.binary_connections == 1
    assert "t-x-c-t-r" in {message.cotEvent.type for message in scene.server.messages}


async def test_a_server_that_offers_and_does_not_answer_gets_xml_after_a_while():
    scene = Scene(pace={"pong_seconds": 1.0}, offers_protobuf=True, never_answers_request=True)
    async with scene.under_way():
        await scene.until(lambda: "t-x-takp-q" in scene.server.kinds())
        scene.source.add(6)
        await scene.settled()
    scene.check()
    assert scene.server.binary_connections == 0
    assert len(scene.server.lives) == 3


def message(uid: str, **detail: str) -> bytes:
    made = TakMessage()
    made.cotEvent.type, made.cotEvent.uid = "a-f-G", uid
    for name, value in detail.items():
        setattr(made.cotEvent.detail, name, value)
    return framed(made)


@pytest.mark.parametrize(
    "said",
    [
        machine("b-t-f").replace(b"<detail>", b"<detail>" + b"x" * 3 * MAX_EVENT_BYTES),
        b"<event " * 100_000 + b"</event>",
        b"\xff\xfe\x00" * 100_000,
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY a 'b'>]><a>&a;</a>\n",
        machine("a-f-G", uid=None) * 2_000,
        machine("t-x-d-d") + machine("t-x-c-t") * 500,
        machine("t-x-takp-r", '<TakResponse status="true"/>'),
        machine("t-x-takp-v", f'<TakProtocolSupport version="{"9" * 5_000}"/>'),
    ],
    ids=["long", "starts", "bytes", "entities", "many", "pings", "answer", "version"],
)
async def test_what_strangers_say_costs_no_connection(said: bytes):
    scene = Scene(pace=PATIENT, greeting=said)
    await scene.play(7)
    scene.check()
    assert scene.server.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        message("stranger", xmlDetail="x" * 3 * MAX_MESSAGE_BYTES),
        b"\xbf\x03\x12\x01\xff",
        b"\xbf\x02\x12\x7f",
        b"\xbf\x00" * 1_000,
        b"\xbf\x0c\x12\x0a\x30" + b"\xff" * 8 + b"\x01",
    ],
    ids=["long", "no protobuf", "cut", "empty", "time"],
)
async def test_nor_in_protocol_buffers(said: bytes):
    scene = Scene(pace=PATIENT, offers_protobuf=True)
    async with scene.under_way():
        scene.source.add(3)
        await scene.settled()
        await scene.until(lambda: scene.server.binary_connections == 1)
        scene.source.add(1)
        await scene.settled()
        scene.server.say(said)
        scene.source.add(3)
        await scene.settled()
    scene.check()
    assert scene.server.connections == 1


@pytest.mark.parametrize("acknowledge", ["ping", "auto", "send"])
async def test_a_server_that_drops_what_comes_with_the_first_event_gets_it_all(acknowledge):
    """As FreeTAKServer does: it takes one event out of the first read, and says welcome."""
    scene = Scene(
        pace={"pong_seconds": 0.3, "greeting_seconds": 5.0}, acknowledge=acknowledge,
        swallows=True, pongs=acknowledge == "ping",
    )  # fmt: skip
    await scene.play(6, 3)
    heard = {uid for life in scene.server.lives for uid in life.heard}
    assert heard == set(scene.source.wanted)
    assert scene.courier.describe(dead_letters=0).acknowledges == (acknowledge == "ping")
