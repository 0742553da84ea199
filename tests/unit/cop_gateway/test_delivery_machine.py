"""Window and suspicion against a peer that reads, answers and breaks in any order. No sockets."""

from __future__ import annotations

from collections import Counter, deque
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cop_gateway.cot import Stamp, ping, stamp
from cop_gateway.delivery.selection import Selection
from cop_gateway.delivery.suspicion import Suspicion
from cop_gateway.delivery.window import Batch, Window
from cop_gateway.outbox.record import Dispatch

NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)
LIMIT, STRIKES, MOST = 4, 3, 16


class Peer(RuleBasedStateMachine):
    """What goes out is read in order; each ping is answered once it is read, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.window = Window(cursor=0, limit=LIMIT)
        self.on_the_way: deque[tuple[int, Stamp | None]] = deque()
        """The newest sequence of each batch, and the stamp of its ping."""
        self.unanswered: deque[tuple[int, Stamp | None]] = deque()
        self.read = 0
        """The newest event that the peer has read, over all connections."""
        self.pings = 0

    @precondition(lambda self: self.window.is_open())
    @rule(events=st.integers(0, 3), left_out=st.integers(0, 2))
    def send(self, events: int, left_out: int) -> None:
        self.pings += 1
        selection = None
        first = self.window.sent + 1
        last = self.window.sent + events + left_out
        if last >= first:
            chosen = tuple(
                Dispatch(sequence=first + n, committed_at=NOW, xml="") for n in range(events)
            )
            selection = Selection(first=first, last=last, chosen=chosen)
        asked = stamp(ping(f"us-{self.pings}", NOW))
        self.window.add(Batch(at=0.0, sent_at=NOW, selection=selection, stamp=asked))
        self.on_the_way.append((self.window.sent, asked))

    @precondition(lambda self: self.on_the_way)
    @rule()
    def take_back(self) -> None:
        """It could not be encoded: nothing of it went out."""
        before = self.on_the_way[-2][0] if len(self.on_the_way) > 1 else None
        self.on_the_way.pop()
        self.window.retract()
        if before is not None:
            assert self.window.sent == before

    @precondition(lambda self: self.on_the_way)
    @rule()
    def peer_reads(self) -> None:
        self.unanswered.append(self.on_the_way.popleft())
        self.read = max(self.read, self.unanswered[-1][0])

    @precondition(lambda self: self.unanswered)
    @rule(says_which=st.booleans())
    def peer_answers(self, says_which: bool) -> None:
        sequence, asked = self.unanswered.popleft()
        if says_which:
            assert asked is not None
            assert self.window.until(asked) == 1
        assert self.window.settle() is not None
        assert self.window.acknowledged == sequence

    @precondition(lambda self: len(self.unanswered) > 1)
    @rule(data=st.data())
    def peer_answers_a_later_one_alone(self, data: st.DataObject) -> None:
        """It says which: all before it were read, too."""
        skipped = data.draw(st.integers(1, len(self.unanswered) - 1))
        for _ in range(skipped):
            self.unanswered.popleft()
        sequence, asked = self.unanswered.popleft()
        assert asked is not None
        assert self.window.until(asked) == skipped + 1
        for _ in range(skipped + 1):
            self.window.settle()
        assert self.window.acknowledged == sequence
        assert self.window.until(asked) == 0

    @precondition(lambda self: self.window.is_settled)
    @rule()
    def peer_answers_what_nobody_asked(self) -> None:
        before = self.window.acknowledged
        assert self.window.settle() is None
        assert self.window.acknowledged == before

    @rule()
    def connection_breaks(self) -> None:
        self.window = Window(cursor=self.window.acknowledged, limit=LIMIT)
        self.on_the_way.clear()
        self.unanswered.clear()

    @invariant()
    def nothing_counts_that_was_not_read(self) -> None:
        assert self.window.acknowledged <= self.read
        assert self.window.acknowledged <= self.window.sent

    @invariant()
    def what_is_under_way_is_bounded_and_known(self) -> None:
        waiting = [*self.unanswered, *self.on_the_way]
        assert len(waiting) <= LIMIT
        assert self.window.is_settled == (not waiting)
        assert self.window.sent == (waiting[-1][0] if waiting else self.window.acknowledged)


class Judge(RuleBasedStateMachine):
    """Connections break, with or without somebody on trial; things get through in between."""

    def __init__(self) -> None:
        super().__init__()
        self.suspicion = Suspicion(strikes=STRIKES, most=MOST)
        self.on_trial: int | None = None
        self.against: Counter[int] = Counter()
        self.breaks = 0
        """In a row."""

    @precondition(lambda self: self.suspicion.careful)
    @rule(sequence=st.integers(1, 3))
    def one_alone(self, sequence: int) -> None:
        self.suspicion.try_one(sequence)
        self.on_trial = sequence

    @rule()
    def breaks_off(self) -> None:
        self.breaks += 1
        condemned = self.suspicion.broke()
        if self.on_trial is None:
            assert condemned is None
            return
        self.against[self.on_trial] += 1
        expected = self.on_trial if self.against[self.on_trial] >= STRIKES else None
        assert condemned == expected
        self.on_trial = None

    @rule()
    def gets_through(self) -> None:
        before = self.suspicion.batch_events
        self.suspicion.passed()
        assert self.suspicion.batch_events >= before
        assert not self.suspicion.careful
        self.breaks, self.on_trial = 0, None
        self.against.clear()

    @invariant()
    def batches_have_a_size(self) -> None:
        assert 1 <= self.suspicion.batch_events <= MOST
        # One break says nothing about sizes, and enough of them leave one event alone.
        if self.breaks > 1 + MOST:
            assert self.suspicion.careful


class TestPeer(Peer.TestCase):  # type: ignore[misc]
    settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


class TestJudge(Judge.TestCase):  # type: ignore[misc]
    settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
