"""Sockets that notice a peer that is gone without a word, such as a node that lost its power."""

from __future__ import annotations

import errno
import socket

GONE_SECONDS = 5
"""What was sent is confirmed within this time by a peer that lives, however long it thinks."""

SocketOption = tuple[int, int, int]


def watchful() -> list[SocketOption]:
    """Options for a connection that ends with an error once its peer is gone.

    Otherwise the kernel sends again for a quarter of an hour, and a call on a kept connection
    spends all its time on a peer that another attempt would not meet. What a system lacks is left
    out.
    """
    wanted = {
        "TCP_KEEPIDLE": 2,
        "TCP_KEEPINTVL": 1,
        "TCP_KEEPCNT": GONE_SECONDS - 2,
        "TCP_USER_TIMEOUT": GONE_SECONDS * 1000,
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
