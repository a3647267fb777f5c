"""The figures of ./nos bench: as a table, as JSON, as a drawing, and the ones that the tree keeps.

Less is better everywhere: instructions; bytes, KiB, MiB.
"""
import datetime
import json
import platform
from html import escape
from pathlib import Path
from statistics import median
from typing import Dict, List, Optional, Set

from . import ui
from .tree import ARCHITECTURES, ROOT
from .ui import NosError

# A counted figure repeats exactly on one machine; the compiler's next release moves it a little.
TOLERANCE = 1.05


class Column:
    """What one kernel needed, by row."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.values: Dict[str, int] = {}
        self.titles: Dict[str, str] = {}
        # Of the rows, those that are memory: instructions alone make the median, and are kept in the tree.
        self.memory: Set[str] = set()
        self.complete = True

    def add(self, row: str, title: str, value: int) -> None:
        self.values[row] = value
        self.titles[row] = title

    def add_memory(self, row: str, title: str, value: int) -> None:
        self.add(row, title, value)
        self.memory.add(row)


def row_titles(columns: List[Column]) -> Dict[str, str]:
    """Every row that any column has, in the order of measuring."""
    return {row: title for column in columns for row, title in column.titles.items()}


def ratio(columns: List[Column], row: str) -> Optional[float]:
    """The first column divided by the second."""
    if len(columns) != 2 or row not in columns[0].values or not columns[1].values.get(row):
        return None
    return columns[0].values[row] / columns[1].values[row]


def print_table(columns: List[Column]) -> None:
    two = len(columns) == 2
    header = f"{'instructions':48}" + "".join(f"{column.title:>16}" for column in columns)
    print(header + (f"{columns[0].title + '/' + columns[1].title:>16}" if two else ""))
    for row, title in row_titles(columns).items():
        values = [column.values.get(row) for column in columns]
        line = f"{title:48}" + "".join(f"{value:>16,}" if value is not None else f"{'–':>16}" for value in values)
        quotient = ratio(columns, row)
        print(line + (f"{quotient:>16.2f}" if quotient is not None else ""))
    quotients = counted_ratios(columns)
    if quotients:
        print(f"{'median and largest of the counted rows':48}{median(quotients):>32.2f}{max(quotients):>16.2f}")


def counted_ratios(columns: List[Column]) -> List[float]:
    found = (ratio(columns, row) for row in row_titles(columns) if row not in columns[0].memory)
    return [quotient for quotient in found if quotient is not None]


def write_json(path: Path, architecture: str, columns: List[Column]) -> None:
    content = {
        "date": datetime.date.today().isoformat(),
        "architecture": architecture,
        "emulator": (ui.capture([f"qemu-system-{architecture}", "--version"]) or "").splitlines()[0],
        "host": platform.platform(),
        "rows": row_titles(columns),
        "kernels": [{"title": column.title, "figures": column.values} for column in columns],
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def kept_file(architecture: str, linux: bool = False) -> Path:
    return ROOT / "tests" / "benchmark" / "arch" / architecture / ("linux.json" if linux else "figures.json")


def keep(architecture: str, column: Column, linux: bool = False) -> None:
    counted = {row: value for row, value in column.values.items() if row not in column.memory}
    content = {row: {"title": column.titles[row], "instructions": value} for row, value in counted.items()}
    kept_file(architecture, linux).write_text(json.dumps(content, indent=1) + "\n")


def kept(architecture: str, linux: bool = False) -> Column:
    path = kept_file(architecture, linux)
    if not path.exists():
        words = f"--arch {architecture} --keep" + (" --kernel linux" if linux else "")
        raise NosError(f"The tree keeps no {path.name} of {architecture}: ./nos bench {words} makes it.")
    column = Column("Linux kept" if linux else "kept")
    for row, entry in json.loads(path.read_text()).items():
        column.add(row, entry["title"], entry["instructions"])
    return column


def worse(now: Column, before: Column) -> List[str]:
    """A line for each row that became more expensive, is new or is gone."""
    lines = []
    for row, value in now.values.items():
        if row in now.memory:
            continue
        if row not in before.values:
            lines.append(f"{row} is not among the kept figures: ./nos bench --keep puts it there.")
        elif value > before.values[row] * TOLERANCE:
            lines.append(f"{row}: {value:,} instructions, {value / before.values[row] - 1:.0%} more than the {before.values[row]:,} kept.")
    lines += [f"{row} is kept and was not measured." for row in before.values if row not in now.values]
    return lines


TABLE_START, TABLE_END = "<!-- ./nos bench --table: begins -->\n", "<!-- ./nos bench --table: ends -->\n"


def architecture_table() -> str:
    """The kept figures of all architectures as Markdown: NOS, Linux and what the one is of the other."""
    columns = {name: [kept(name), kept(name, linux=True)] for name in ARCHITECTURES}
    titles = row_titles([column for pair in columns.values() for column in pair])
    heads = [f"{name}: NOS | Linux | ratio" for name in columns]
    lines = ["| Operation | " + " | ".join(heads) + " |", "|---|" + "---:|" * 3 * len(columns)]
    for row, title in titles.items():
        cells = [title]
        for pair in columns.values():
            quotient = ratio(pair, row)
            cells += [f"{column.values[row]:,}" if row in column.values else "–" for column in pair]
            cells.append(f"{quotient:.2f}" if quotient is not None else "–")
        lines.append("| " + " | ".join(cells) + " |")
    last = ["**median; largest**"]
    for pair in columns.values():
        quotients = counted_ratios(pair)
        last += ["", "", f"**{median(quotients):.2f}; {max(quotients):.2f}**"]
    return "\n".join([*lines, "| " + " | ".join(last) + " |", ""])


def write_table(document: Path) -> None:
    text = document.read_text()
    start, end = text.find(TABLE_START), text.find(TABLE_END)
    if start < 0 or end < start:
        raise NosError(f"{document} has no place for the table: a line {TABLE_START.strip()} and a line {TABLE_END.strip()}")
    document.write_text(text[: start + len(TABLE_START)] + architecture_table() + text[end:])


BAR_HEIGHT, GAP, LEFT, WIDTH = 14, 6, 330, 480


def draw(path: Path, architecture: str, columns: List[Column]) -> None:
    """A bar for each row: the first column in parts of the second."""
    rows = [(title, quotient) for row, title in row_titles(columns).items() if (quotient := ratio(columns, row)) is not None]
    if not rows:
        raise NosError("A drawing needs two kernels with figures of the same rows.")
    scale = WIDTH / max(1.1, *(quotient for _, quotient in rows))
    height = (len(rows) + 2) * (BAR_HEIGHT + GAP)
    title = f"{columns[0].title} / {columns[1].title}, {architecture}, executed instructions (KiB and MiB for memory)"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 60}" height="{height + GAP}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{GAP}" y="{BAR_HEIGHT}" font-weight="bold">{escape(title)}</text>',
    ]
    for number, (name, quotient) in enumerate(rows, start=1):
        top = number * (BAR_HEIGHT + GAP)
        color = "#2f7d4f" if quotient <= 0.5 else "#8a8a2c" if quotient <= 1 else "#b03030"
        parts.append(f'<text x="{LEFT - GAP}" y="{top + BAR_HEIGHT - 3}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect x="{LEFT}" y="{top}" width="{quotient * scale:.1f}" height="{BAR_HEIGHT}" fill="{color}"/>')
        parts.append(f'<text x="{LEFT + quotient * scale + 4:.1f}" y="{top + BAR_HEIGHT - 3}">{quotient:.2f}</text>')
    one = LEFT + scale
    parts.append(f'<line x1="{one:.1f}" y1="{BAR_HEIGHT + GAP}" x2="{one:.1f}" y2="{height}" stroke="black" stroke-dasharray="4 3"/>')
    path.write_text("\n".join([*parts, "</svg>", ""]))
