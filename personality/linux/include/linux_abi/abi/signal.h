// Signals as programs see them: numbers, sets, siginfo, actions. The frame pushed on the user stack is the
// architecture's (<arch/linux_signal.h>).
#pragma once

#include <cstdint>
#include <cstring>

#include "arch/linux_abi.h"

namespace linux_abi {

namespace signal {
inline constexpr int hup = 1, interrupt = 2, quit = 3, ill = 4, trap = 5, abort = 6, bus = 7, fpe = 8,
                     kill = 9, usr1 = 10, segv = 11, usr2 = 12, pipe = 13, alarm = 14, term = 15, stkflt = 16,
                     chld = 17, cont = 18, stop = 19, tstp = 20, ttin = 21, ttou = 22, urg = 23, xcpu = 24,
                     xfsz = 25, vtalrm = 26, prof = 27, winch = 28, io = 29, pwr = 30, sys = 31, rt_min = 32,
                     rt_max = 64;
}  // namespace signal

inline constexpr int signal_count = 64;
constexpr bool is_signal(int number) { return number >= 1 && number <= signal_count; }

// The kernel's sigset_t: 64 bits, signal n is bit n-1.
struct SignalSet {
  std::uint64_t bits = 0;

  static constexpr SignalSet of(int number) { return {std::uint64_t{1} << (number - 1)}; }
  template <typename... Numbers>
  static constexpr SignalSet of(int first, Numbers... rest) {
    return {of(first).bits | of(rest...).bits};
  }
  static constexpr SignalSet all() { return {~std::uint64_t{0}}; }
  constexpr bool contains(int number) const { return bits & of(number).bits; }
  constexpr void add(int number) { bits |= of(number).bits; }
  constexpr void remove(int number) { bits &= ~of(number).bits; }
  constexpr bool empty() const { return bits == 0; }
  constexpr int lowest() const { return bits ? __builtin_ctzll(bits) + 1 : 0; }
  friend constexpr SignalSet operator|(SignalSet a, SignalSet b) { return {a.bits | b.bits}; }
  friend constexpr SignalSet operator&(SignalSet a, SignalSet b) { return {a.bits & b.bits}; }
  friend constexpr SignalSet operator~(SignalSet a) { return {~a.bits}; }
  constexpr bool operator==(const SignalSet&) const = default;
};

inline constexpr SignalSet unblockable_signals = SignalSet::of(signal::kill, signal::stop);
inline constexpr SignalSet stop_signals =
    SignalSet::of(signal::stop, signal::tstp, signal::ttin, signal::ttou);
inline constexpr SignalSet core_signals =
    SignalSet::of(signal::quit, signal::ill, signal::trap, signal::abort, signal::fpe, signal::segv,
                  signal::bus, signal::sys, signal::xcpu, signal::xfsz);
inline constexpr SignalSet ignored_by_default =
    SignalSet::of(signal::cont, signal::chld, signal::winch, signal::urg);
// Caused by the instruction at hand; taken before anything else.
inline constexpr SignalSet synchronous_signals =
    SignalSet::of(signal::segv, signal::bus, signal::ill, signal::trap, signal::fpe, signal::sys);

// si_code
namespace si {
inline constexpr int user = 0, kernel = 0x80, queue = -1, timer = -2, message = -3, async_io = -4, sigio = -5,
                     tkill = -6, detach_thread = -7;
inline constexpr int ill_opcode = 1, ill_privileged = 5;
inline constexpr int fpe_integer_divide = 1, fpe_integer_overflow = 2, fpe_divide = 3, fpe_overflow = 4,
                     fpe_underflow = 5, fpe_inexact = 6, fpe_invalid = 7;
inline constexpr int segv_map_error = 1, segv_access_error = 2, segv_protection_key = 4;
inline constexpr int bus_alignment = 1, bus_address = 2, bus_object = 3;
inline constexpr int trap_breakpoint = 1, trap_trace = 2, trap_hardware = 4;
inline constexpr int child_exited = 1, child_killed = 2, child_dumped = 3, child_trapped = 4,
                     child_stopped = 5, child_continued = 6;
inline constexpr int poll_in = 1, poll_out = 2, poll_message = 3, poll_error = 4, poll_priority = 5,
                     poll_hangup = 6;
inline constexpr int sys_seccomp = 1, sys_user_dispatch = 2;
}  // namespace si

// siginfo_t: 128 bytes, a header and a union that si_signo and si_code select.
struct SigInfo {
  std::int32_t number = 0;
  std::int32_t error = 0;
  std::int32_t code = 0;
  std::int32_t pad = 0;
  union {
    struct {
      std::int32_t pid;
      std::uint32_t uid;
      union {
        std::uint64_t value;  // sigval: kill-like and queued signals
        struct {
          std::int32_t status, pad;
          std::int64_t user_ticks, system_ticks;
        } child;
      };
    } sender;
    struct {
      std::int32_t id, overrun;
      std::uint64_t value;
      std::int32_t system_private;
    } timer;
    struct {
      std::uint64_t address;
      std::int16_t address_lsb;
      std::int16_t pad1;
      std::int32_t pad2;
      std::uint64_t lower, upper;
    } fault;
    struct {
      std::int64_t band;
      std::int32_t fd;
    } poll;
    struct {
      std::uint64_t call_address;
      std::int32_t call;
      std::uint32_t architecture;
    } system_call;
    unsigned char bytes[112];
  };

  SigInfo() { std::memset(bytes, 0, sizeof(bytes)); }
  SigInfo(int signal_number, int si_code) : SigInfo() {
    number = signal_number;
    code = si_code;
  }
};
static_assert(sizeof(SigInfo) == 128);

// Where a handler returns to. Not every architecture has the field.
template <bool exists>
struct SigRestorer {
  std::uint64_t address = 0;
};
template <>
struct SigRestorer<false> {
  static constexpr std::uint64_t address = 0;
};

// struct sigaction as rt_sigaction takes it.
struct SigAction {
  std::uint64_t handler = 0;
  std::uint64_t flags = 0;
  [[no_unique_address]] SigRestorer<arch::linux_restorer_flag != 0> restorer;
  SignalSet mask;
};
inline constexpr std::uint64_t sig_default = 0, sig_ignore = 1;
inline constexpr std::uint64_t sa_nocldstop = 1, sa_nocldwait = 2, sa_siginfo = 4, sa_unsupported = 0x400,
                               sa_expose_tagbits = 0x800, sa_restorer = arch::linux_restorer_flag,
                               sa_onstack = 0x08000000, sa_restart = 0x10000000, sa_nodefer = 0x40000000,
                               sa_resethand = 0x80000000;

enum class SigMaskHow : std::int32_t { block = 0, unblock = 1, set = 2 };

struct SigAltStack {
  std::uint64_t base = 0;
  std::int32_t flags = 0;
  std::int32_t pad = 0;
  std::uint64_t size = 0;
};
inline constexpr std::int32_t ss_onstack = 1, ss_disable = 2;
inline constexpr std::uint32_t ss_autodisarm = 1u << 31;
inline constexpr std::uint64_t minimum_signal_stack = 2048;

// sigevent_t: 64 bytes.
struct SigEvent {
  std::uint64_t value = 0;
  std::int32_t number = 0;
  std::int32_t notify = 0;
  std::int32_t thread = 0;
  std::int32_t pad[11] = {};
};
static_assert(sizeof(SigEvent) == 64);
inline constexpr std::int32_t sigev_signal = 0, sigev_none = 1, sigev_thread = 2, sigev_thread_id = 4;

}  // namespace linux_abi
