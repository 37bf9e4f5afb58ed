"""The chart of docs/performance.md: bars in plain SVG, for light and dark pages."""

from xml.sax.saxutils import escape

WIDTH, LABELS, RIGHT = 860, 330, 70
BAR, GAP, TITLE = 18, 4, 26

# Colours that can be told apart without seeing colours, on white and on a dark page; the page behind
# shows through.
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 } .ours { fill: #0b6bcb } .native { fill: #9a9fa6 }
  .spread { stroke: #1f2328; stroke-width: 1.2 } .grid { stroke: #d0d7de }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .ours { fill: #58a6ff } .native { fill: #7d8590 }
    .spread { stroke: #e6edf3 } .grid { stroke: #3d444d }
  }
"""


def svg(groups):
    """`groups`: a title and bars, each of a label, whether it is ours, and (median, low, high) in µs."""
    most = max(high for _, bars in groups for _, _, (_, _, high) in bars)
    step = nice(most / 6)
    scale = (WIDTH - LABELS - RIGHT) / (most or 1)
    parts, y = [], 48
    for title, bars in groups:
        parts.append(said(8, y + 14, title, "title"))
        y += TITLE
        for label, is_ours, (middle, low, high) in bars:
            parts.append(said(LABELS - 8, y + 13, label, anchor="end"))
            kind = "ours" if is_ours else "native"
            width = max(middle, 0) * scale
            parts.append(f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{width:.1f}" height="{BAR}"/>')
            left, right = LABELS + max(low, 0) * scale, LABELS + high * scale
            line = y + BAR / 2
            parts.append(f'<line class="spread" x1="{left:.1f}" x2="{right:.1f}" y1="{line}" y2="{line}"/>')
            parts.append(said(right + 6, y + 13, f"{middle:.1f}"))
            y += BAR + GAP
        y += 8
    grid = [
        f'<line class="grid" x1="{LABELS + at * scale:.1f}" x2="{LABELS + at * scale:.1f}" y1="40" y2="{y}"/>'
        + said(LABELS + at * scale, y + 16, f"{at:g}", anchor="middle")
        for at in (number * step for number in range(int(most / step) + 1))
    ]
    heading = said(8, 22, "CPU µs per request that each adds to Envoy's router; the line: half of the rounds", "title")
    body = "\n".join([heading, *grid, *parts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 24}" width="{WIDTH}" role="img" '
        'aria-label="CPU time per request, the filter and Envoy\'s own filters">\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def nice(least):
    """The next of 1, 2, 5, 10, 20…"""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if step * factor >= least:
                return step * factor
        step *= 10


def said(x, y, text, style="", anchor="start"):
    style = f' class="{style}"' if style else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
