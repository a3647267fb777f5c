"""A flame graph: who called whom, the wider the more instructions, as one SVG without scripts. Titles tell the figures."""
from html import escape
from pathlib import Path
from typing import Dict, List, Mapping, Tuple
from zlib import crc32

WIDTH, ROW, LEAST = 1400, 17, 0.6
LETTER = 6.6  # width of one

Chain = Tuple[str, ...]


class Frame:
    def __init__(self) -> None:
        self.total = 0
        self.callees: Dict[str, "Frame"] = {}


def tree(counts: Mapping[Chain, int]) -> Frame:
    root = Frame()
    for chain, count in counts.items():
        root.total += count
        frame = root
        for name in chain:
            frame = frame.callees.setdefault(name, Frame())
            frame.total += count
    return root


def short(name: str) -> str:
    """Without the parameters and the inner names of templates, which leave no room for the rest."""
    return name.split("(", 1)[0] if not name.startswith("(") else name


def draw(path: Path, title: str, counts: Mapping[Chain, int], operations: int) -> None:
    root = tree(counts)
    shapes: List[str] = []
    deepest = 0

    def put(frame: Frame, name: str, x: float, depth: int) -> None:
        nonlocal deepest
        width = frame.total / root.total * WIDTH
        if width < LEAST:
            return
        deepest = max(deepest, depth)
        hue = 20 + crc32(name.encode()) % 40
        words = f"{name}: {frame.total / operations:,.1f} instructions, {frame.total / root.total:.1%}"
        y = depth * ROW
        shapes.append(
            f'<g><title>{escape(words)}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" fill="hsl({hue},80%,68%)"/>'
        )
        letters = int((width - 4) / LETTER)
        if letters >= 3:
            text = short(name)
            shapes.append(f'<text x="{x + 2:.1f}" y="{y + 12}">{escape(text if len(text) <= letters else text[: letters - 1] + "…")}</text>')
        shapes.append("</g>")
        for callee, below in sorted(frame.callees.items()):
            put(below, callee, x, depth + 1)
            x += below.total / root.total * WIDTH

    put(root, f"{title}: {root.total / operations:,.0f} instructions", 0, 0)
    height = (deepest + 1) * ROW
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">\n' + "\n".join(shapes) + "\n</svg>\n"
    )
