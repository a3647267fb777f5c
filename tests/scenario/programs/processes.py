"""multiprocessing: a pool, queues, pipes, shared memory, locks; with fork, spawn and the fork server."""
import multiprocessing as mp
import os
from multiprocessing import shared_memory


def square(number: int) -> int:
    return number * number


def add(value: "mp.Value", lock: "mp.Lock", times: int) -> None:
    for _ in range(times):
        with lock:
            value.value += 1


def echo(end: "mp.connection.Connection") -> None:
    while (message := end.recv()) is not None:
        end.send(message)


def fill(name: str) -> None:
    memory = shared_memory.SharedMemory(name)
    memory.buf[:5] = b"hello"
    memory.close()


def try_method(method: str) -> None:
    context = mp.get_context(method)
    with context.Pool(3) as pool:
        assert pool.map(square, range(50)) == [number * number for number in range(50)]
    value, lock = context.Value("i", 0), context.Lock()
    workers = [context.Process(target=add, args=(value, lock, 200)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert value.value == 600, value.value
    ours, theirs = context.Pipe()
    worker = context.Process(target=echo, args=(theirs,))
    worker.start()
    for size in (1, 100, 200_000):
        ours.send(b"x" * size)
        assert len(ours.recv()) == size
    ours.send(None)
    worker.join()
    assert worker.exitcode == 0


if __name__ == "__main__":
    for name in ("fork", "spawn", "forkserver"):
        try_method(name)
    memory = shared_memory.SharedMemory(create=True, size=4096)
    process = mp.Process(target=fill, args=(memory.name,))
    process.start()
    process.join()
    assert bytes(memory.buf[:5]) == b"hello"
    memory.close()
    memory.unlink()
    assert os.cpu_count()
    print("multiprocessing ok")
