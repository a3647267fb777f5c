"""fio's engines for asynchronous I/O, each checking what it has written."""
from nos.scenario import Guest, limit

LONG = True
PACKAGES = ["fio"]
OPTIONS = ["--memory", "1G"]

FIO = ("fio --name=check --filename=/tmp/fio.data --size=4M --bs=16k --rw=randrw --verify=crc32c --iodepth=16 --runtime=60 "
       "--ioengine={engine} {more} > /tmp/fio.log 2>&1; echo status $?; grep -c 'err= 0' /tmp/fio.log")


@limit(200)
def test_libaio(guest: Guest) -> None:
    guest.check(FIO.format(engine="libaio", more=""), "status 0\n1", timeout=150)


@limit(200)
def test_io_uring(guest: Guest) -> None:
    guest.check(FIO.format(engine="io_uring", more=""), "status 0\n1", timeout=150)


@limit(200)
def test_io_uring_registered(guest: Guest) -> None:
    guest.check(FIO.format(engine="io_uring", more="--fixedbufs=1 --registerfiles=1"), "status 0\n1", timeout=150)


@limit(200)
def test_io_uring_polled(guest: Guest) -> None:
    guest.check(FIO.format(engine="io_uring", more="--sqthread_poll=1"), "status 0\n1", timeout=150)
