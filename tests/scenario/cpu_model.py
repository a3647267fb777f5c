"""A guest with every feature of the CPU model, AVX above all: its registers survive being shared."""
from nos.scenario import Guest

OPTIONS = ["--cpu-model", "max", "--cpus", "2"]
FILES = {"programs": "/root/programs"}


def test_features(guest: Guest) -> None:
    guest.check("grep -o -w -m1 avx2 /proc/cpuinfo | head -n 1", "avx2")


def test_vector_programs_side_by_side(guest: Guest) -> None:
    """glibc picks AVX routines here; many processes at once make the kernel save and restore them."""
    guest.check("for i in 1 2 3 4; do (head -c 3000000 /dev/zero | tr '\\0' $i | md5sum) & done | sort | md5sum; wait", pattern="^[0-9a-f]{32}")
    guest.check("for i in $(seq 8); do python3 -c \"s = b'ab' * 500000; assert s.count(b'b') == 500000 and s.find(b'c') < 0; print('ok')\" & done | sort | uniq -c | xargs; wait", pattern="8 ok")


def test_threads(guest: Guest) -> None:
    guest.check("python3 programs/threads.py", "threads ok")
