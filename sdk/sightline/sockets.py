"""Sockets that notice a peer that is gone without a word, such as a node that lost its power.

Otherwise the kernel sends again for a quarter of an hour, and a call on a kept connection spends
all its time on a peer that another attempt would not meet.
"""

from __future__ import annotations

import errno
import socket

SocketOption = tuple[int, int, int]


def watchful(seconds: int) -> list[SocketOption]:
    """Options for a connection that ends with an error once its peer is gone for so long.

    A peer that lives confirms in time, however long its answer takes. What a system lacks is left
    out.
    """
    idle = seconds // 2
    wanted = {
        "TCP_KEEPIDLE": idle,
        "TCP_KEEPINTVL": 1,
        "TCP_KEEPCNT": seconds - idle,
        "TCP_USER_TIMEOUT": seconds * 1000,
    }
    known = [
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in wanted.items()
        if hasattr(socket, name)
    ]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *known]


def is_gone(error: BaseException) -> bool:
    """Whether the kernel gave the peer up, which httpx cannot tell from time that ran out."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno == errno.ETIMEDOUT:
            return True
        seen = seen.__cause__ or seen.__context__
    return False
