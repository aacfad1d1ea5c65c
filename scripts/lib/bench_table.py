"""Prints medians, ratios and sizes of scripts/bench's measurements as a Markdown table.

stdin: one line per command, `SET WHAT WHO JSON`; the JSON is timed.py's with `bytes` of the archive.
A ratio is that of the medians; its range is that of the pairs. `backup` is compared with both peers.
"""
import collections
import json
import statistics
import sys

runs = collections.defaultdict(list)
for line in sys.stdin:
    data_set, what, who, took = line.split(maxsplit=3)
    runs[data_set, what, who].append(json.loads(took))


def median(key, field):
    return statistics.median(run[field] for run in runs[key])


print("| set | what | peer | peer s | pgbelay s | ratio (pairs) | archive, of peer's | CPU s | peak MB, peer's |")
print("|---|---|---|---|---|---|---|---|---|")
for data_set, what, who in sorted(runs):
    if who == "pgbelay":
        continue
    peer, ours = (data_set, what, who), (data_set, what, "pgbelay")
    pairs = sorted(b["seconds"] / a["seconds"] for a, b in zip(runs[peer], runs[ours]))
    size, theirs = median(ours, "bytes"), median(peer, "bytes")
    print(
        f"| {data_set} | {what} | {who} | {median(peer, 'seconds'):.2f} | {median(ours, 'seconds'):.2f} "
        f"| {median(ours, 'seconds') / median(peer, 'seconds'):.2f} ({pairs[0]:.2f} to {pairs[-1]:.2f}) "
        f"| {size / 1e6:.1f} MB, {size / theirs:.3f} | {median(ours, 'cpu_seconds'):.2f} "
        f"| {median(ours, 'peak_mb'):.0f}, {median(peer, 'peak_mb'):.0f} |"
    )
