"""A WebSocket server that echoes, closes or dies, by the path.

    websocket_server.py

Prints `listening PORT`.
"""

import asyncio
import os

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

LARGEST = 4 << 20


async def handle(connection):
    path = connection.request.path
    if path.startswith("/close/"):
        await connection.close(int(path.removeprefix("/close/")), "told so")
        return
    try:
        while True:
            message = await connection.recv()
            if message == "die":
                os._exit(0)
            await connection.send(message)
    except ConnectionClosed:
        pass
    # The close handshake is over: what the client closed with.
    print(f"closed {connection.close_code} {connection.close_reason}", flush=True)


async def main():
    async with serve(handle, "127.0.0.1", 0, max_size=LARGEST, subprotocols=["chat.v1"]) as server:
        print(f"listening {server.sockets[0].getsockname()[1]}", flush=True)
        await server.serve_forever()


asyncio.run(main())
