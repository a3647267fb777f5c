"""Debian 13's archive, as seen from this machine: which mirror, which keys, and single packages of it.

The mirror is the one that the machine's own apt uses for Debian; no host is named here.

Why the packages can be trusted on Debian 12 as well: every index is checked against Debian 13's archive keys, and those
come from the package debian-archive-keyring, which has held them since its update of spring 2025 in Debian 12 and which
apt has verified with the keys that the machine was installed with. Where the installed keyring is older, it is upgraded
through apt. Nothing is ever fetched unverified, not even the first key.
"""
import subprocess
from pathlib import Path
from typing import List, Optional

from . import packages, ui
from .tree import CACHE, cache_lock, digest, log_file
from .ui import NosError

SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# A file of the keyring package that exists from the version on that knows Debian 13.
KEYRING_KNOWS_SUITE = (
    Path("/usr/share/keyrings/debian-archive-trixie-stable.gpg"),
    Path("/usr/share/keyrings/debian-archive-trixie-stable.pgp"),
)
DEBIAN_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64", "riscv64": "riscv64"}
# What comes before the architecture in the name of the kernel package: "cloud-" where there is one for virtual machines.
KERNEL_KIND = {"riscv64": ""}
# The machine's own settings that a private apt has to follow to reach the mirror at all.
INHERITED_SETTINGS = ("Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::Check-")


def mirror() -> str:
    """The address of the Debian archive that this machine's apt is configured with."""
    fields = "$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(RELEASE)|$(COMPONENT)"
    query = ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]
    listing = ui.capture(query)
    if listing is None:
        raise NosError("This machine has no apt, and the root file system is made from Debian packages: use --initrd FILE.")
    rows = [line.split("|") for line in listing.splitlines() if line.count("|") == 4]
    # Once the lists have been downloaded apt knows whose they are; before, "main" of the machine's own release will do.
    for address, origin, label, _, component in rows:
        if origin == "Debian" and label == "Debian" and component == "main":
            return address
    codename = packages.os_release().get("VERSION_CODENAME", "")
    for address, origin, _, release, component in rows:
        if origin.startswith("$") and release == codename and component == "main":
            return address
    raise NosError("No Debian mirror is configured in this machine's apt (/etc/apt), and the root file system comes from one.")


def ensure_keyring() -> None:
    if any(path.exists() for path in KEYRING_KNOWS_SUITE):
        return
    ui.say("The Debian archive keys of this machine do not include Debian 13's yet")
    packages.install(["debian-archive-keyring"])
    if not any(path.exists() for path in KEYRING_KNOWS_SUITE):
        raise NosError("The package debian-archive-keyring of this machine lacks Debian 13's keys, even after an upgrade.")


def source() -> str:
    """A deb822 source of Debian 13 for a private apt."""
    ensure_keyring()
    return f"Types: deb\nURIs: {mirror()}\nSuites: {SUITE}\nComponents: main\nSigned-By: {KEYRING}\n"


def inherited_settings() -> List[str]:
    """The machine's apt settings for reaching its mirror (a proxy, say), as lines of apt.conf."""
    dump = ui.capture(["apt-config", "dump"]) or ""
    return [line for line in dump.splitlines() if line.startswith(INHERITED_SETTINGS) and not line.endswith('"";')]


class PrivateApt:
    """apt with its lists in the tree's cache: it sees Debian 13 only, and the machine's apt sees nothing of it."""

    def __init__(self, architecture: str):
        self.folder = CACHE / "apt" / architecture
        self.options: List[str] = []
        text = source()
        for part in ("lists/partial", "cache/archives/partial", "sources"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "sources" / "debian.sources").write_text(text)
        for name, value in (
            ("Dir::Etc::SourceList", "/dev/null"),
            ("Dir::Etc::SourceParts", f"{self.folder}/sources"),
            ("Dir::State::Lists", f"{self.folder}/lists"),
            ("Dir::State::Status", "/dev/null"),
            ("Dir::Cache", f"{self.folder}/cache"),
            ("APT::Architecture", DEBIAN_ARCHITECTURE[architecture]),
            ("APT::Architectures", DEBIAN_ARCHITECTURE[architecture]),
            ("APT::Sandbox::User", ""),  # the folder belongs to the user, not to _apt
            ("Debug::NoLocking", "1"),
        ):
            self.options += ["-o", f"{name}={value}"]
        self.stamp = self.folder / f"updated-{digest(text)}"

    def update(self) -> None:
        log = log_file("apt-lists")
        with ui.step("Reading Debian 13's package lists"):
            ui.run_logged(["apt-get", *self.options, "update"], log, "Reading Debian 13's package lists")
        self.stamp.touch()

    def dependencies(self, package: str) -> List[str]:
        text = ui.capture(["apt-cache", *self.options, "depends", "--important", package]) or ""
        return [line.split()[-1] for line in text.splitlines() if line.strip().startswith("Depends:")]

    def download(self, package: str, folder: Path) -> Path:
        """The verified .deb of `package`, put into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        ui.run_logged(
            ["apt-get", *self.options, "download", package], log_file("download"), f"Downloading {package}", cwd=folder
        )
        return next(path for path in folder.glob("*.deb") if path.name.startswith(package + "_"))


def private_apt(architecture: str) -> PrivateApt:
    apt = PrivateApt(architecture)
    if not apt.stamp.exists():
        apt.update()
    return apt


def deb_content(deb: Path, wanted: str) -> bytes:
    """The content of the one file in `deb` whose path starts with `wanted`."""
    import io
    import tarfile

    data = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            if member.isfile() and member.name.lstrip("./").startswith(wanted):
                content = tar.extractfile(member)
                assert content is not None
                return content.read()
    raise NosError(f"{deb.name} holds no file {wanted}.")


def linux_kernel(architecture: str) -> Path:
    """Debian 13's Linux for virtual machines, which NOS is compared with."""
    kernel = CACHE / "linux" / f"vmlinuz-{architecture}"
    if kernel.exists():
        return kernel
    with cache_lock("linux"):
        if kernel.exists():
            return kernel
        apt = private_apt(architecture)
        meta_package = f"linux-image-{KERNEL_KIND.get(architecture, 'cloud-')}{DEBIAN_ARCHITECTURE[architecture]}"
        package: Optional[str] = next((name for name in apt.dependencies(meta_package) if name.startswith("linux-image-")), None)
        if package is None:
            raise NosError(f"The Debian mirror has no {meta_package} in {SUITE}.")
        with ui.step(f"Fetching {package}, the Linux kernel to compare with"):
            deb = apt.download(package, CACHE / "linux")
            content = deb_content(deb, "boot/vmlinu")  # vmlinuz, or vmlinux where it is not compressed
        deb.unlink()
        temporary = kernel.with_suffix(".new")
        temporary.write_bytes(content)
        temporary.rename(kernel)
        (CACHE / "linux" / f"version-{architecture}").write_text(package.replace("linux-image-", "") + "\n")
    return kernel


def linux_module(architecture: str, name: str) -> Path:
    """A module of linux_kernel(), such as drivers/block/virtio_blk, compressed as Debian has it."""
    linux_kernel(architecture)
    version = (CACHE / "linux" / f"version-{architecture}").read_text().strip()
    module = CACHE / "linux" / f"{Path(name).name}-{version}.ko.xz"
    with cache_lock("linux"):
        if not module.exists():
            with ui.step(f"Fetching linux-image-{version} for its {Path(name).name}"):
                deb = private_apt(architecture).download(f"linux-image-{version}", CACHE / "linux")
                content = deb_content(deb, f"usr/lib/modules/{version}/kernel/{name}.ko")
            deb.unlink()
            temporary = module.with_suffix(".new")
            temporary.write_bytes(content)
            temporary.rename(module)
    return module
