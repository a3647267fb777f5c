"""What Debian's own tools make of the devices."""
from nos.scenario import Guest

PACKAGES = ["pciutils"]


def test_lspci(guest: Guest) -> None:
    guest.check("lspci -n | head -n 1", "00:00.0 0600: @HOST_BRIDGE@")
    guest.check("lspci -vv -s 00:00.0", pattern="Host bridge")
    if guest.architecture == "x86_64":  # the other boards' usual interrupt controllers take no messages
        guest.check("lspci -vvn -d 1af4:1005", pattern="MSI-X: Enable\\+")
    guest.check("lspci -vvn -d 1af4:1005", pattern="Kernel driver in use: virtio-pci")


def test_lspci_through_proc(guest: Guest) -> None:
    guest.check("lspci -A linux-proc -n | head -n 1", "00:00.0 0600: @HOST_BRIDGE@")
