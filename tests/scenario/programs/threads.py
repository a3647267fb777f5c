"""Threads with every primitive of the threading module, and a pool."""
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

lock = threading.Lock()
counter = 0


def count() -> None:
    global counter
    for _ in range(2000):
        with lock:
            counter += 1


threads = [threading.Thread(target=count) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert counter == 16000, counter

work: "queue.Queue[int]" = queue.Queue(maxsize=4)
results = []


def consume() -> None:
    while (item := work.get()) >= 0:
        results.append(item * item)


consumers = [threading.Thread(target=consume) for _ in range(3)]
for thread in consumers:
    thread.start()
for number in range(200):
    work.put(number)
for _ in consumers:
    work.put(-1)
for thread in consumers:
    thread.join()
assert sorted(results) == [number * number for number in range(200)]

event = threading.Event()
start = time.monotonic()
assert not event.wait(0.2) and time.monotonic() - start >= 0.19
threading.Timer(0.1, event.set).start()
assert event.wait(30)

barrier = threading.Barrier(4)
waiters = [threading.Thread(target=barrier.wait) for _ in range(3)]
for thread in waiters:
    thread.start()
barrier.wait(30)
for thread in waiters:
    thread.join()

with ThreadPoolExecutor(8) as pool:
    assert list(pool.map(lambda number: number + 1, range(100))) == list(range(1, 101))
local = threading.local()
local.value = 1
seen = []
thread = threading.Thread(target=lambda: seen.append(hasattr(local, "value")))
thread.start()
thread.join()
assert seen == [False]
print("threads ok")
