"""gdb commands for NOS; `./nos debug` loads them.

  nos-panic     stop where the kernel panics
  nos-slide     a kernel that has moved itself (KASLR): find out where to, and take the symbols there
  nos-registers control registers of the CPU, decoded as far as gdb does not
"""
import re

import gdb  # type: ignore[import-not-found]

PANIC_FUNCTIONS = ("core::panic_arguments",)
# The table that the CPU's register IDTR points to: where it is tells where everything is.
TABLE = "'arch::(anonymous namespace)::gates'"


class PanicCommand(gdb.Command):
    """nos-panic: stop where the kernel panics."""

    def __init__(self) -> None:
        super().__init__("nos-panic", gdb.COMMAND_BREAKPOINTS)

    def invoke(self, argument: str, from_tty: bool) -> None:
        for name in PANIC_FUNCTIONS:
            if gdb.lookup_global_symbol(name) or gdb.lookup_static_symbol(name):
                gdb.Breakpoint(name)


class SlideCommand(gdb.Command):
    """nos-slide: after the kernel has started, find how far KASLR moved it, and load the symbols there."""

    def __init__(self) -> None:
        super().__init__("nos-slide", gdb.COMMAND_FILES)
        self.slide = 0

    def invoke(self, argument: str, from_tty: bool) -> None:
        match = re.search(r"^IDT=\s*([0-9a-f]{16})", gdb.execute("monitor info registers", to_string=True), re.MULTILINE)
        table = int(gdb.parse_and_eval(f"(unsigned long)&{TABLE}")) - self.slide
        slide = int(match.group(1), 16) - table if match else -1
        if not 0 <= slide < 1 << 30 or slide % (2 << 20):
            raise gdb.GdbError("The kernel has not set up its tables yet; let it run for a moment (continue, Ctrl-C).")
        gdb.execute(f"symbol-file -o {slide:#x} {gdb.current_progspace().filename}")
        self.slide = slide
        print(f"The kernel has moved by {slide:#x}.")


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
SlideCommand()
MonitorCommand()
