"""A plot of lines as SVG, without a library."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 900, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 30, 50
COLORS = ("#1965b0", "#dc050c", "#4eb265", "#882e72")
TICKS = 5


@dataclass(frozen=True, kw_only=True)
class Line:
    """A titled line of (x, y) from left to right."""

    title: str
    points: Sequence[tuple[float, float]]


def line_plot(lines: Sequence[Line], *, across: str, up: str) -> str:
    """The SVG document; both axes begin at 0."""
    most_x = max(x for line in lines for x, _ in line.points) or 1.0
    most_y = max(y for line in lines for _, y in line.points) * 1.1 or 1.0

    def place(x: float, y: float) -> str:
        right = LEFT + x / most_x * (WIDTH - LEFT - RIGHT)
        return f"{right:.1f},{HEIGHT - BOTTOM - y / most_y * (HEIGHT - TOP - BOTTOM):.1f}"

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
             f'font-size="13"><rect width="100%" height="100%" fill="white"/>']  # fmt: skip
    for step in range(TICKS + 1):
        x, y = most_x * step / TICKS, most_y * step / TICKS
        (left, bottom), (_, level) = place(x, 0).split(","), place(0, y).split(",")
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{level}" y2="{level}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{float(level) + 4:.1f}" text-anchor="end">{y:.0f}</text>')
        parts.append(f'<text x="{left}" y="{float(bottom) + 18:.1f}" text-anchor="middle">{x:.0f}</text>')
    for number, line in enumerate(lines):
        color, points = COLORS[number % len(COLORS)], " ".join(place(*point) for point in line.points)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>')
        parts.append(f'<text x="{LEFT + 12 + 130 * number}" y="{TOP - 10}" fill="{color}">{line.title}</text>')
    parts.append(f'<text x="{(LEFT + WIDTH) // 2}" y="{HEIGHT - 12}" text-anchor="middle">{across}</text>')
    middle = (TOP + HEIGHT - BOTTOM) // 2
    parts.append(f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">{up}</text></svg>')
    return "\n".join(parts)
