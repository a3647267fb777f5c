"""gdb commands for NOS; `./nos debug` loads them.

  nos-panic     stop where the kernel panics
  nos-registers control registers of the CPU, decoded as far as gdb does not
"""
import gdb  # type: ignore[import-not-found]

PANIC_FUNCTIONS = ("base::panic", "panic", "kernel_library_panic")


class PanicCommand(gdb.Command):
    """nos-panic: stop where the kernel panics."""

    def __init__(self) -> None:
        super().__init__("nos-panic", gdb.COMMAND_BREAKPOINTS)

    def invoke(self, argument: str, from_tty: bool) -> None:
        for name in PANIC_FUNCTIONS:
            if gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name):
                gdb.Breakpoint(name)


class MonitorCommand(gdb.Command):
    """nos-registers: QEMU's view of the CPU, with control registers."""

    def __init__(self) -> None:
        super().__init__("nos-registers", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        gdb.execute("monitor info registers")


gdb.execute("set print pretty on")
gdb.execute("set pagination off")
gdb.execute("set disassemble-next-line auto")
PanicCommand()
MonitorCommand()
