"""subprocess: pipes, status, signals, time limits, environment, working folder."""
import os
import signal
import subprocess
import sys

run = subprocess.run
assert run(["echo", "hi"], capture_output=True, text=True).stdout == "hi\n"
assert run("exit 5", shell=True).returncode == 5
assert run(["cat"], input=b"x" * 300_000, stdout=subprocess.PIPE).stdout == b"x" * 300_000
assert run(["sh", "-c", "echo $A; pwd"], env={"A": "b"}, cwd="/usr", stdout=subprocess.PIPE).stdout == b"b\n/usr\n"
assert run(["sh", "-c", "kill -9 $$"]).returncode == -signal.SIGKILL
assert run(["sh", "-c", "echo out; echo err >&2"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout == b"out\nerr\n"
try:
    run(["sleep", "100"], timeout=0.3)
    sys.exit("no time-out")
except subprocess.TimeoutExpired:
    pass
try:
    run(["/nonexistent"])
    sys.exit("no error")
except FileNotFoundError:
    pass
first = subprocess.Popen(["seq", "1000"], stdout=subprocess.PIPE)
second = subprocess.Popen(["tail", "-n", "1"], stdin=first.stdout, stdout=subprocess.PIPE)
assert second.communicate()[0] == b"1000\n" and first.wait() == 0
session = subprocess.Popen(["sleep", "100"], start_new_session=True)
assert os.getpgid(session.pid) == session.pid
os.killpg(session.pid, signal.SIGTERM)
assert session.wait() == -signal.SIGTERM
reader, writer = os.pipe()
child = subprocess.Popen(["sh", "-c", f"echo passed >&{writer}"], pass_fds=[writer])
os.close(writer)
assert os.read(reader, 100) == b"passed\n" and child.wait() == 0
for _ in range(50):
    assert run(["true"]).returncode == 0
print("subprocess ok")
