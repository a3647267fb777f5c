"""mount, umount and findmnt of util-linux with every kind of propagation."""
from nos.scenario import Guest

BASE = "/tmp/share"
KIND = f"findmnt -n -o PROPAGATION {BASE}"


def test_kinds(guest: Guest) -> None:
    guest.check(f"mkdir -p {BASE} && mount -t tmpfs none {BASE} && mount --make-private {BASE} && {KIND}", "private")
    guest.check(f"mount --make-shared {BASE} && {KIND}; mount --make-slave {BASE} && {KIND}", "shared\nprivate")
    guest.check(f"mount --make-unbindable {BASE} && {KIND}; mkdir {BASE}/a /tmp/elsewhere; mount --bind {BASE} /tmp/elsewhere", status=32,
                pattern="private,unbindable|unbindable")
    guest.check(f"mount --make-rprivate {BASE} && {KIND}", "private")


def test_peers_and_slaves(guest: Guest) -> None:
    guest.check(f"cd {BASE} && mkdir peer slave && mount -t tmpfs none a && mount --make-shared a && mkdir a/in && mount --bind a peer && "
                f"mount --bind a slave && mount --make-slave slave && findmnt -n -o PROPAGATION peer && findmnt -n -o PROPAGATION slave",
                "shared\nprivate,slave")
    guest.check("mount -t tmpfs none peer/in && touch a/in/file && ls slave/in && findmnt -n -o PROPAGATION a/in && findmnt -n -o PROPAGATION slave/in", pattern="^file\n")
    guest.check("findmnt -R -n -o TARGET -l /tmp/share | grep -c /in$", "3")
    guest.check("umount a/in && findmnt -R -n -o TARGET -l /tmp/share | grep -c /in$", "0", status=1)
    guest.check("mount -t tmpfs none slave/in && mountpoint -q a/in; echo $?; umount slave/in", "32")


def test_trees(guest: Guest) -> None:
    guest.check(f"cd {BASE} && mkdir deep && mount -t tmpfs none deep && mkdir deep/x && mount -t tmpfs none deep/x && mount --move deep a/in && "
                "findmnt -R -n -o TARGET -l /tmp/share | grep -c 'in/x$'", "3")
    guest.check("umount a/in", status=32, pattern="target is busy")
    guest.check("umount -R peer/in && findmnt -R -n -o TARGET -l /tmp/share | grep -c /in", "0", status=1)
    guest.check(f"cd; umount -R {BASE} && findmnt -n {BASE}; rmdir {BASE} /tmp/elsewhere", "")
