#include "core/init/command_line.h"

namespace core {
namespace {

// Names that belong to the kernel. Those of Linux that NOS has no use for are here as well, so that a command line written for
// Linux does not turn up in the environment of the first program.
constexpr std::string_view kernel_parameters[] = {
    "acpi", "acpi_osi", "amd_iommu", "amd_pstate", "apparmor", "audit", "audit_backlog_limit", "boot_delay", "bootconfig",
    "cgroup_disable", "cgroup_enable", "clocksource", "cma", "console", "consoleblank", "coredump_filter", "cpuidle.off",
    "crashkernel", "debug", "default_hugepagesz", "devtmpfs.mount", "disable_mtrr_cleanup", "earlycon",
    "earlyprintk", "efi", "elevator", "enforcing", "fail_allocation", "fb", "fsck.mode", "hpet", "hugepages", "hugepagesz",
    "idle", "ignore_loglevel", "ima", "init", "initcall_debug", "initrd", "initramfs_async", "intel_iommu", "intel_pstate",
    "iommu", "ip", "irqaffinity", "irqpoll", "isolcpus", "kaslr", "kgdboc", "kpti", "l1tf", "lapic", "load_ramdisk",
    "log_buf_len", "loglevel", "loops_per_jiffy", "lpj", "lsm", "maxcpus", "mce", "mds", "mem", "memmap", "memtest",
    "mitigations", "mminit_loglevel", "nfsroot", "nmi_watchdog", "no_console_suspend",
    "no_hash_pointers", "no_timer_check", "noacpi", "noapic", "nofpu", "nohlt", "nohz", "nohz_full", "noinitrd", "nokaslr", "nolapic",
    "nomodeset", "nompx", "nopti", "nopv", "nosmap", "nosmep", "nosmp", "nosmt", "nospectre_v1", "nospectre_v2", "notsc", "nowatchdog",
    "nox2apic", "noxsave", "nr_cpus", "numa", "numa_balancing", "oops", "panic", "panic_on_oops", "panic_on_warn", "panic_print",
    "pci", "pcie_aspm", "possible_cpus", "preempt", "print_fatal_signals", "printk_time", "profile", "pti", "quiet",
    "raid", "ramdisk_size", "random_trust_bootloader", "random_trust_cpu", "randomize_kstack_offset", "rcu_nocbs", "rdinit",
    "reboot", "relax_domain_level", "reserve", "resume", "retain_initrd", "retbleed", "ro", "rodata", "root", "rootdelay", "rootflags",
    "rootfstype", "rootwait", "rw", "selinux", "security", "serialnumber", "skew_tick", "slab_nomerge", "slub_debug",
    "smp", "softlockup_panic", "spec_store_bypass_disable", "spectre_v2", "srbds", "swapaccount", "swiotlb", "sysrq_always_enabled",
    "threadirqs", "transparent_hugepage", "tsc", "tsx", "vdso", "vdso32", "vga", "vmalloc", "vsyscall",
    "workqueue.power_efficient", "x2apic_phys", "xen",
};

}  // namespace

bool is_kernel_parameter(std::string_view name) {
  for (std::string_view known : kernel_parameters)
    if (same_parameter_name(known, name)) return true;
  return false;
}

}  // namespace core
