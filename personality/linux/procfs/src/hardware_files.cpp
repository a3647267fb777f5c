// iomem: what physical addresses lead to; config.gz: what this kernel was built with, in Linux' words.
#include <array>

#include "boot/boot_info.h"
#include "core/memory/page_allocator.h"
#include "linux_abi/task.h"
#include "procfs/procfs.h"
#include "subject.h"

namespace linux_procfs {

namespace {

std::string_view name_of(boot::MemoryKind kind) {
  using boot::MemoryKind;
  switch (kind) {
    case MemoryKind::usable:
    case MemoryKind::kernel:
    case MemoryKind::initrd:
    case MemoryKind::boot_tables:
      return "System RAM";
    case MemoryKind::acpi_reclaimable:
      return "ACPI Tables";
    case MemoryKind::acpi_nonvolatile:
      return "ACPI Non-volatile Storage";
    case MemoryKind::unusable:
      return "Unusable memory";
    case MemoryKind::persistent:
      return "Persistent Memory";
    case MemoryKind::initrd_kept:
    case MemoryKind::reserved:
      break;
  }
  return "Reserved";
}

// Where things are is told to the privileged only; others see the names.
class IoMemory final : public pseudo_fs::Text {
 public:
  IoMemory() : Text(0444) {}
  Result<void> show(TextSink& out, const vfs::Credentials& credentials) override {
    bool shown = credentials.can(vfs::Capability::sys_admin);
    auto line = [&](std::string_view indent, std::uint64_t start, std::uint64_t end, std::string_view name) {
      format(out, "{}{:08x}-{:08x} : {}\n", indent, shown ? start : 0, shown ? end - 1 : 0, name);
    };
    const boot::BootInfo& info = boot::boot_info();
    auto map = info.memory_map();
    std::uint64_t image = info.kernel_physical.start, image_end = image + info.kernel_physical.size;
    for (std::size_t i = 0; i < map.size();) {
      std::uint64_t start = map[i].start, end = map[i].end();
      std::string_view name = name_of(map[i].kind);
      // What boot has cut into pieces is one range of memory.
      for (++i; i < map.size() && map[i].start == end && name_of(map[i].kind) == name; ++i)
        end = map[i].end();
      line("", start, end, name);
      if (image_end > start && image < end && image != image_end)
        line("  ", image, image_end, "Kernel image");
    }
    return {};
  }
};

// What programs look for before they use it. Only what is there.
constexpr std::string_view configuration =
    "# NOS, in the words of Linux' kernel configuration\n"
    "CONFIG_SMP=y\nCONFIG_PREEMPT=y\nCONFIG_PREEMPT_RT=y\nCONFIG_NO_HZ_FULL=y\nCONFIG_HIGH_RES_TIMERS=y\n"
    "CONFIG_SYSVIPC=y\nCONFIG_POSIX_MQUEUE=y\nCONFIG_CROSS_MEMORY_ATTACH=y\nCONFIG_IKCONFIG=y\n"
    "CONFIG_IKCONFIG_PROC=y\nCONFIG_UTS_NS=y\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\nCONFIG_RD_LZ4=y\n"
    "CONFIG_RD_ZSTD=y\nCONFIG_MULTIUSER=y\nCONFIG_FHANDLE=y\nCONFIG_POSIX_TIMERS=y\nCONFIG_PRINTK=y\n"
    "CONFIG_ELF_CORE=y\nCONFIG_FUTEX=y\nCONFIG_FUTEX_PI=y\nCONFIG_EPOLL=y\nCONFIG_SIGNALFD=y\n"
    "CONFIG_TIMERFD=y\nCONFIG_EVENTFD=y\nCONFIG_SHMEM=y\nCONFIG_AIO=y\nCONFIG_IO_URING=y\n"
    "CONFIG_ADVISE_SYSCALLS=y\nCONFIG_MEMBARRIER=y\nCONFIG_KCMP=y\nCONFIG_RSEQ=y\nCONFIG_USERFAULTFD=y\n"
    "CONFIG_SECRETMEM=y\nCONFIG_KALLSYMS=y\nCONFIG_SECCOMP=y\nCONFIG_SECCOMP_FILTER=y\n"
    "CONFIG_STACKPROTECTOR_STRONG=y\nCONFIG_STRICT_KERNEL_RWX=y\nCONFIG_RANDOMIZE_BASE=y\n"
    "CONFIG_BINFMT_ELF=y\nCONFIG_BINFMT_SCRIPT=y\nCONFIG_COREDUMP=y\nCONFIG_UNIX=y\nCONFIG_PCI=y\n"
    "CONFIG_ACPI=y\nCONFIG_DEVTMPFS=y\nCONFIG_TTY=y\nCONFIG_UNIX98_PTYS=y\nCONFIG_VIRTIO_BLK=y\n"
    "CONFIG_VIRTIO_CONSOLE=y\nCONFIG_HW_RANDOM_VIRTIO=y\nCONFIG_BLK_DEV_NVME=y\nCONFIG_BLK_DEV_LOOP=y\n"
    "CONFIG_EXT4_FS=y\nCONFIG_FSNOTIFY=y\nCONFIG_DNOTIFY=y\nCONFIG_INOTIFY_USER=y\nCONFIG_FANOTIFY=y\n"
    "CONFIG_FANOTIFY_ACCESS_PERMISSIONS=y\nCONFIG_PROC_FS=y\nCONFIG_PROC_SYSCTL=y\nCONFIG_SYSFS=y\n"
    "CONFIG_TMPFS=y\nCONFIG_TMPFS_XATTR=y\nCONFIG_MEMFD_CREATE=y\nCONFIG_KEYS=y\nCONFIG_FAULT_INJECTION=y\n"
    "CONFIG_FAILSLAB=y\nCONFIG_DEBUG_FS=y\n";

constexpr std::uint32_t checksum_of(std::string_view text) {
  std::uint32_t sum = ~0u;
  for (char c : text) {
    sum ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ (sum & 1 ? 0xedb88320u : 0);
  }
  return ~sum;
}

// As gzip wants it: one stored block.
consteval auto packed_configuration() {
  constexpr std::size_t size = configuration.size();
  static_assert(size <= 0xffff, "one stored block holds 64 KiB");
  std::array<char, 10 + 5 + size + 8> bytes{};
  std::size_t at = 0;
  auto put = [&](std::uint32_t value, unsigned count) {
    for (unsigned i = 0; i < count; ++i) bytes[at++] = static_cast<char>(value >> (8 * i) & 0xff);
  };
  put(0x00088b1f, 4);  // magic, deflate, no flags
  put(0, 4);           // no time
  put(0x0300, 2);      // made on Unix
  put(1, 1);           // the last block, stored
  put(static_cast<std::uint32_t>(size), 2);
  put(~static_cast<std::uint32_t>(size), 2);
  for (char c : configuration) bytes[at++] = c;
  put(checksum_of(configuration), 4);
  put(static_cast<std::uint32_t>(size), 4);
  return bytes;
}
constexpr auto packed = packed_configuration();

Result<void> show_configuration(TextSink& out) {
  out.put({packed.data(), packed.size()});
  return {};
}

}  // namespace

Result<void> add_hardware_files() {
  TRY(procfs::add("iomem", TRY(base::try_make_ref<IoMemory>())));
  return procfs::add_text("config.gz", 0444, show_configuration);
}

}  // namespace linux_procfs
