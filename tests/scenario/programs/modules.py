"""Modules of the standard library that lean on the kernel, each used once for real."""
import array
import ctypes
import fcntl
import hashlib
import mmap
import os
import pathlib
import pty
import resource
import select
import selectors
import shutil
import signal
import socket
import tempfile
import threading
import time

# Files and folders.
with tempfile.TemporaryDirectory() as folder:
    base = pathlib.Path(folder)
    (base / "a" / "b").mkdir(parents=True)
    (base / "a" / "file").write_bytes(b"z" * 10000)
    shutil.copytree(base / "a", base / "copy")
    assert sorted(p.name for p in base.rglob("*")) == ["a", "b", "b", "copy", "file", "file"]
    os.replace(base / "a" / "file", base / "moved")
    assert shutil.disk_usage(folder).total > 0
    archive = shutil.make_archive(str(base / "archive"), "gztar", base / "copy")
    shutil.unpack_archive(archive, base / "unpacked")
    assert (base / "unpacked" / "file").stat().st_size == 10000
    descriptor = os.open(base / "moved", os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    fcntl.lockf(descriptor, fcntl.LOCK_EX)
    assert os.pread(descriptor, 3, 5) == b"zzz" and os.pwrite(descriptor, b"abc", 0) == 3
    with mmap.mmap(descriptor, 10000) as view:
        assert view[:4] == b"abcz"
        view[0:1] = b"X"
        view.flush()
    assert os.pread(descriptor, 2, 0) == b"Xb"
    assert os.sendfile(os.open(base / "out", os.O_CREAT | os.O_WRONLY), descriptor, 0, 10000) == 10000
    os.posix_fallocate(descriptor, 0, 20000)
    assert os.fstat(descriptor).st_size == 20000
    os.close(descriptor)

# Waiting.
left, right = socket.socketpair()
with selectors.DefaultSelector() as selector:
    selector.register(left, selectors.EVENT_READ)
    assert selector.select(0.05) == []
    right.send(b"x")
    assert selector.select(5)[0][0].fileobj is left
assert select.select([left], [left], [], 5)[:2] == ([left], [left])
poller = select.poll()
poller.register(left, select.POLLIN)
assert poller.poll(1000) == [(left.fileno(), select.POLLIN)]

# Descriptors and credentials over a socket.
reader, writer = os.pipe()
socket.send_fds(left, [b"fds"], [writer])
message, descriptors, _, _ = socket.recv_fds(right, 10, 1)
os.write(descriptors[0], b"via a passed descriptor")
assert message == b"fds" and os.read(reader, 100) == b"via a passed descriptor"

# Signals, timers, clocks.
hits = []
signal.signal(signal.SIGALRM, lambda number, frame: hits.append(number))
signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
deadline = time.monotonic() + 30
while len(hits) < 3 and time.monotonic() < deadline:
    time.sleep(0.01)
signal.setitimer(signal.ITIMER_REAL, 0)
assert len(hits) >= 3
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
os.kill(os.getpid(), signal.SIGUSR2)
assert signal.sigtimedwait([signal.SIGUSR2], 5).si_signo == signal.SIGUSR2
assert abs(time.time() - time.clock_gettime(time.CLOCK_REALTIME)) < 5
assert time.get_clock_info("monotonic").resolution <= 1e-6
before = time.process_time()
hashlib.sha256(b"x" * 5_000_000).hexdigest()
assert time.process_time() > before

# Descriptors of the newer kind.
event = os.eventfd(3)
assert os.eventfd_read(event) == 3
memory = os.memfd_create("name")
os.ftruncate(memory, 8192)
assert os.fstat(memory).st_size == 8192
child = os.fork()
if child == 0:
    os._exit(9)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
child = os.fork()
if child == 0:
    time.sleep(0.1)
    os._exit(4)
process = os.pidfd_open(child)
assert select.select([process], [], [], 30)[0] == [process]
assert os.waitid(os.P_PIDFD, process, os.WEXITED).si_status == 4

# A pseudo-terminal.
pid, master = pty.fork()
if pid == 0:
    os.execlp("sh", "sh", "-c", "tty && stty -echo && read x && echo got $x")
output = b""
while b"/dev/pts" not in output:
    output += os.read(master, 1000)
time.sleep(0.5)
os.write(master, b"typed\n")
while b"got typed" not in output:
    output += os.read(master, 1000)
os.waitpid(pid, 0)

# Limits, scheduling, ctypes.
assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 0 and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0
assert os.sched_getaffinity(0) and os.getloadavg() and os.sysconf("SC_PAGE_SIZE") == 4096
libc = ctypes.CDLL(None, use_errno=True)
assert libc.getpid() == os.getpid()
assert libc.close(12345) == -1 and ctypes.get_errno() == 9
assert array.array("i", [1, 2]).tobytes() and threading.get_native_id() == os.getpid()
print("modules ok")
