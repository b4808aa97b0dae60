# SPDX-License-Identifier: Apache-2.0
"""The score as an SVG picture: precision and recall by flow, of all classes and of each, beside the recall that
the paper reports."""
from xml.sax.saxutils import escape

PAPER = (("paper, 10 systems", 0.80, 0.88), ("paper, 50 systems", 0.76, 0.82))  # recall; recall after tuning
ROW, BAR, LEFT, WIDTH = 44, 14, 170, 400
COLOURS = {"precision": "#4477aa", "recall": "#cc6677", "tuned": "#999933"}


def bar(y, value, colour, label):
    if value is None:
        return f'<text x="{LEFT + 4}" y="{y + 11}">{label}: no such flows</text>'
    return (f'<rect x="{LEFT}" y="{y}" width="{value * WIDTH:.1f}" height="{BAR}" fill="{colour}"/>'
            f'<text x="{LEFT + WIDTH + 8}" y="{y + 11}">{label} {value:.1%}</text>')


def svg(result):
    rows = [("all flows", result["flows"])]
    rows += [(name, one["flows"]) for name, one in result["by_class"].items()]
    height = 40 + ROW * (len(rows) + len(PAPER))
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 150}" height="{height}" '
             f'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="8" y="20" font-weight="bold">{escape(result["scenario"])}, {result["nodes"]} hosts</text>']
    y = 34
    for name, figures in rows:
        parts += [f'<text x="8" y="{y + 18}">{escape(name)}</text>',
                  bar(y, figures["precision"], COLOURS["precision"], "precision"),
                  bar(y + BAR + 2, figures["recall"], COLOURS["recall"], "recall")]
        y += ROW
    for name, recall, tuned in PAPER:
        parts += [f'<text x="8" y="{y + 18}">{name}</text>', bar(y, recall, COLOURS["recall"], "recall"),
                  bar(y + BAR + 2, tuned, COLOURS["tuned"], "tuned")]
        y += ROW
    return "\n".join([*parts, "</svg>"]) + "\n"
