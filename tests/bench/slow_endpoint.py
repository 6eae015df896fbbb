"""A chat endpoint that answers every call after the same time, in a process of its own: `python -m … SECONDS`.

Prints its port. As little work as can be for each call, so that what is measured is the caller.
"""

from __future__ import annotations

import asyncio
import json
import sys

CHOICE = {"index": 0, "message": {"role": "assistant", "content": '{"mcas": 2}'}, "finish_reason": "stop"}
BODY = json.dumps({"id": "x", "model": "slow", "choices": [CHOICE]}).encode()
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


async def serve(latency_s: float) -> None:
    """Answers until it is ended."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
                )
                await reader.readexactly(length)
                await asyncio.sleep(latency_s)
                writer.write(REPLY)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
