#!/usr/bin/env python3
"""Attention across ranks on machines that are not here: SimGrid's SMPI runs the library's own
communication (bench/simulated_ranks.cpp) in simulated time, and the formula says what it should take.

    python3 bench/simulate_ranks.py [--positions 262144] [--ranks 8 16 32 64] [--heads 8] [--head-dim 64]
                                    [--flops 1.2e12] [--bandwidth 1.18e9] [--latency 15e-6]

Prints, for each number of ranks and of ranks that exchange heads: simulated and computed seconds of a causal
forward pass, their ratio, and the time of the work alone. Needs smpicxx and smpirun (Debian: libsimgrid-dev).
"""

import argparse
import math
import pathlib
import shutil
import subprocess
import sys
import tempfile

PROJECT = pathlib.Path(__file__).resolve().parent.parent
WINDOWS, TILE, TURNS, FEWEST_ROWS = 8, 192, 16, 96  # as in include/attn/mpi/


def blocks_of(positions, ranks):
    """The blocks of each rank, as Sequence deals them."""
    turns = 2 * max(1, min(TURNS // 2, positions // (2 * ranks * FEWEST_ROWS)))
    count = ranks * turns
    dealt = [[] for _ in range(ranks)]
    for i in range(count):
        turn, place = divmod(i, ranks)
        rank = place if turn % 2 == 0 else ranks - 1 - place
        dealt[rank].append((positions * i // count, positions * (i + 1) // count))
    return dealt


def windows_of(positions):
    ends = [positions * n // WINDOWS for n in range(1, WINDOWS)]
    ends = [0] + [min((end + TILE // 2) // TILE * TILE, positions) for end in ends] + [positions]
    return [(a, b) for a, b in zip(ends, ends[1:]) if a < b]


def scores(block, window):
    """How many scores of some queries and keys a causal rule allows."""
    def below(queries, keys):  # of the first `queries` queries and the first `keys` keys
        inside = min(queries, keys)
        return inside * (inside + 1) // 2 + (queries - inside) * keys

    (q0, q1), (k0, k1) = block, window
    return below(q1, k1) - below(q0, k1) - below(q1, k0) + below(q0, k0)


def overlap(block, window):
    return max(0, min(block[1], window[1]) - max(block[0], window[0]))


def formula(args, ranks, ranks_of_heads):
    """Seconds: an exchange of q, k and v, windows whose messages and work overlap, an exchange of the output."""
    rows, heads = ranks // ranks_of_heads, args.heads // ranks_of_heads
    dealt = blocks_of(args.positions, ranks)
    of_row = [sum(dealt[r * ranks_of_heads:(r + 1) * ranks_of_heads], []) for r in range(rows)]
    here = max(sum(b - a for a, b in blocks) for blocks in dealt)
    exchanged = 4 * here * args.heads * args.head_dim * 4 * (ranks_of_heads - 1) / ranks_of_heads
    seconds = exchanged / args.bandwidth
    if ranks_of_heads > 1:
        seconds += 2 * 2 * args.latency
    message, work = [], []
    for window in windows_of(args.positions):
        sent = [sum(overlap(block, window) for block in blocks) for blocks in of_row]
        bytes_of_row = 2 * heads * args.head_dim * 4
        most = max(max(sum(sent) - one, one * (rows - 1)) for one in sent)  # received, sent
        message.append(0 if rows == 1 else most * bytes_of_row / args.bandwidth + 2 * args.latency)
        work.append(max(sum(scores(block, window) for block in blocks) for blocks in of_row)
                    * heads * 4 * args.head_dim / args.flops)
    seconds += message[0] + work[-1]
    return seconds + sum(max(c, t) for c, t in zip(work, message[1:]))


def simulate(args, folder, ranks, ranks_of_heads):
    bandwidth = args.bandwidth / args.head_dim  # the program's tensors are smaller by this factor
    platform = folder / "platform.xml"
    platform.write_text(f"""<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1"><zone id="world" routing="Full">
  <cluster id="c" prefix="node-" radical="0-{ranks - 1}" suffix="" speed="{args.flops}f"
           bw="{bandwidth}Bps" lat="{args.latency}s" sharing_policy="SPLITDUPLEX"/>
</zone></platform>
""")
    hosts = folder / "hosts"
    hosts.write_text("".join(f"node-{i}\n" for i in range(ranks)))
    options = ["smpi/host-speed:1Gf", "smpi/simulate-computation:no", "smpi/bw-factor:0:1", "smpi/lat-factor:0:1",
               "network/TCP-gamma:0", "network/crosstraffic:0"]
    command = ["smpirun", "-np", str(ranks), "-platform", str(platform), "-hostfile", str(hosts),
               *[f"--cfg={option}" for option in options], str(folder / "simulated_ranks"),
               str(args.positions), str(args.heads), str(ranks_of_heads), str(args.head_dim)]
    run = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in run.stdout.splitlines() if line and line[0].isdigit()]
    if not lines:
        sys.exit(f"simulate_ranks: {ranks} ranks ended without a result:\n{run.stdout}{run.stderr}")
    return float(lines[-1].split()[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positions", type=int, default=262144)
    parser.add_argument("--ranks", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--flops", type=float, default=1.2e12, help="operations a second of a rank")
    parser.add_argument("--bandwidth", type=float, default=1.18e9, help="bytes a second of a rank's link")
    parser.add_argument("--latency", type=float, default=15e-6, help="seconds of a link; a message passes two")
    args = parser.parse_args()
    if not shutil.which("smpicxx") or not shutil.which("smpirun"):
        sys.exit("simulate_ranks: smpicxx and smpirun were not found (Debian: apt install libsimgrid-dev)")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run(["smpicxx", "-std=c++20", "-O1", "-DATTN_DISPATCHES=0", "-fno-gnu-unique",
                        "-DSMPI_NO_OVERRIDE_MALLOC", f"-I{PROJECT / 'include'}", "-isystem", "/usr/include/eigen3",
                        str(PROJECT / "bench" / "simulated_ranks.cpp"), "-o", str(folder / "simulated_ranks")],
                       check=True)
        print("ranks  of heads    work  simulated  formula  simulated / formula")
        for ranks in args.ranks:
            for ranks_of_heads in sorted({1, math.gcd(ranks, args.heads)}):
                work = 2 * args.positions ** 2 * args.heads * args.head_dim / args.flops / ranks
                computed, simulated = formula(args, ranks, ranks_of_heads), simulate(args, folder, ranks, ranks_of_heads)
                print(f"{ranks:5}{ranks_of_heads:10}{work:8.3f}{simulated:11.3f}{computed:9.3f}{simulated / computed:21.3f}",
                      flush=True)


if __name__ == "__main__":
    main()
