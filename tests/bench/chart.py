# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark's ratios as a bar chart in SVG: right of the line we are better, on a logarithmic scale."""

import html
import math

WIDTH, ROW, LEFT, RIGHT, TOP = 760, 26, 160, 190, 40
COLOURS = {True: "#2e7d32", False: "#c62828", None: "#546e7a"}


def position(ratio, most):
    scale = math.log(max(ratio, 1 / most)) / math.log(most)
    return LEFT + (WIDTH - LEFT - RIGHT) * (1 + min(scale, 1)) / 2


def text(x, y, content, anchor="start", size=12):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-family="sans-serif" '
            f'fill="#222">{html.escape(content)}</text>')


def row(index, result, most):
    y, middle = TOP + ROW * index, position(1, most)
    end = position(result["ratio"], most)
    label = f'{result["ratio"]:.2f}x'
    if isinstance(result["goal"], (int, float)):
        label += f' (goal {result["goal"]:g}x)'
    return [text(LEFT - 8, y + 15, result["id"], "end"),
            f'<rect x="{min(middle, end):.1f}" y="{y + 3}" width="{abs(end - middle):.1f}" height="{ROW - 8}" '
            f'fill="{COLOURS[result["met"]]}"/>',
            text(max(end, middle) + 6, y + 15, label)]


def svg(results):
    shown = [result for result in results if result["ratio"]]
    most = max([2.0] + [max(result["ratio"], 1 / result["ratio"]) for result in shown])
    height, middle = TOP + ROW * len(shown) + 24, position(1, most)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
             text(LEFT, 20, "relayd beside its peer, in the same run (more than 1x: relayd is better)", size=13)]
    for index, result in enumerate(shown):
        parts += row(index, result, most)
    parts += [f'<line x1="{middle:.1f}" y1="{TOP - 6}" x2="{middle:.1f}" y2="{height - 18}" stroke="#222"/>',
              text(middle, height - 5, "1x", "middle"), "</svg>"]
    return "\n".join(parts) + "\n"
