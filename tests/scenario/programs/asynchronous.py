"""asyncio: timers, tasks, processes, streams over AF_UNIX, signals, threads."""
import asyncio
import os
import signal
import time


async def main() -> None:
    start = time.monotonic()
    await asyncio.gather(*(asyncio.sleep(0.3) for _ in range(100)))
    assert 0.29 <= time.monotonic() - start < 20

    process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    out, _ = await process.communicate(b"through cat")
    assert out == b"through cat" and process.returncode == 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, "/tmp/asyncio.socket")

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_unix_connection("/tmp/asyncio.socket")
        for turn in range(20):
            writer.write(f"client {number} turn {turn}\n".encode())
            assert await reader.readline() == f"CLIENT {number} TURN {turn}\n".encode()
        writer.close()

    await asyncio.gather(*(client(number) for number in range(10)))
    server.close()
    await server.wait_closed()

    got = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(got.wait(), 30)

    assert await asyncio.to_thread(lambda: 42) == 42
    try:
        await asyncio.wait_for(asyncio.sleep(100), 0.1)
        raise AssertionError("no time-out")
    except asyncio.TimeoutError:
        pass


asyncio.run(main())
print("asyncio ok")
