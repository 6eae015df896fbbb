"""Whether something listens at an address, found in seconds, and what went wrong as one line. Knows no protocol."""

from __future__ import annotations

import socket

KNOCK_S = 5.0


def knock(host: str | None, port: int) -> None:
    """Connects and hangs up; Ray itself would try for minutes.

    Raises:
        OSError, UnicodeError: nothing listens there, or it is no name of a host.
    """
    socket.create_connection((host, port), timeout=KNOCK_S).close()


def first_line(error: BaseException) -> str:
    """Of what an error says; its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
