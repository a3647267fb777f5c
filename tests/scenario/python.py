"""python3: threads, processes, asyncio and a database."""
import time

from nos.scenario import Guest, limit

FILES = {"programs": "/root/programs"}


def test_start(guest: Guest) -> None:
    guest.check("python3 -c 'print(sum(range(10**6)))'", "499999500000")
    guest.check("python3 -c 'import sys, platform; print(sys.platform, platform.system(), platform.machine())'", "linux Linux @MACHINE@")


def test_threads(guest: Guest) -> None:
    guest.check("python3 programs/threads.py", "threads ok")


def test_subprocess(guest: Guest) -> None:
    guest.check("python3 programs/subprocesses.py", "subprocess ok")


@limit(240)
def test_multiprocessing(guest: Guest) -> None:
    guest.check("python3 programs/processes.py", "multiprocessing ok")


def test_asyncio(guest: Guest) -> None:
    guest.check("python3 programs/asynchronous.py", "asyncio ok")


def test_sqlite(guest: Guest) -> None:
    guest.check("python3 programs/database.py", "sqlite ok")


def test_modules(guest: Guest) -> None:
    """A walk through modules that lean on the kernel."""
    guest.check("python3 programs/modules.py", "modules ok")


def test_interactive(guest: Guest) -> None:
    guest.type("PYTHON_BASIC_REPL=1 python3 -q\n")
    guest.expect(">>> ", 60)
    guest.type("6 * 7\n")
    guest.expect(r"\n42\r?\n>>> ")
    guest.type("import time; time.sleep(100)\n")
    guest.expect(r"\n")
    time.sleep(1.5)
    guest.control("C")
    guest.expect("KeyboardInterrupt.*>>> ")
    guest.control("D")
    guest.expect_prompt()
