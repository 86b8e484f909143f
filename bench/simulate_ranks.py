#!/usr/bin/env python3
"""Attention across ranks on machines that are not here: SimGrid's SMPI runs the library's own
communication (bench/simulated_ranks.cpp) in simulated time, and the formula says what it should take.

    python3 bench/simulate_ranks.py [--positions 262144] [--ranks 8 16 32 64 128 256] [--heads 8] [--head-dim 64]
                                    [--flops 1.2e12] [--network NAME BANDWIDTH LATENCY]... [--csv FILE]
    python3 bench/simulate_ranks.py --measure build/demo/examples/long_attention [--csv FILE]
                                    [--measured-positions 16384] [--rounds 5]

Prints, for each network, number of ranks, and number of ranks that exchange heads: the time of the work alone,
simulated and computed seconds of a causal forward pass, and their ratio. Needs smpicxx and smpirun (Debian:
libsimgrid-dev). --csv writes what bench/ranks_plot.cpp draws. --measure runs the example on 1, 2 and 4 ranks of one
thread each, here, by Open MPI: it prints medians, with the quartiles of ratios, and writes them to the same file. Each
of the two keeps the other's rows of the file.
"""

import argparse
import csv
import dataclasses
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

PROJECT = pathlib.Path(__file__).resolve().parent.parent
WINDOWS, TILE, TURNS, FEWEST_ROWS, WINDOW_BYTES = 8, 192, 16, 96, 32 << 20  # as in include/attn/mpi/
PRECISION = 1e-5  # seconds in which events are one event: 256 ranks exchange 65,280 messages at a time
EAGER_BYTES = 16384  # smaller messages do not wait for the receiver; SMPI keeps them in a list that it searches
NETWORKS = [("10 Gb/s", 1.18e9, 15e-6), ("100 Gb/s", 12e9, 2e-6)]  # bytes a second, seconds


@dataclasses.dataclass(frozen=True)
class Network:
    name: str
    bandwidth: float  # bytes a second of a rank's link
    latency: float    # seconds of a link; a message passes two


def blocks_of(positions, ranks):
    """The blocks of each rank, as Sequence deals them."""
    pairs = max(1, min(TURNS // 2, positions // (2 * ranks * FEWEST_ROWS)))
    turns = 2 ** pairs.bit_length()  # 2 · the largest power of 2 that is at most `pairs`
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


def heads_at_a_time(args, ranks_of_heads):
    """How many heads pass by at a time: those whose windows fit the library's memory."""
    head = (args.positions // 8 + 1) * 2 * args.head_dim * 4
    return max(1, min(WINDOW_BYTES // head, args.heads // ranks_of_heads)) * ranks_of_heads


def formula(args, network, ranks, ranks_of_heads):
    """Seconds: an exchange of q, k and v, windows whose messages and work overlap, an exchange of the output."""
    rows = ranks // ranks_of_heads
    dealt = blocks_of(args.positions, ranks)
    of_row = [sum(dealt[r * ranks_of_heads:(r + 1) * ranks_of_heads], []) for r in range(rows)]
    here = max(sum(b - a for a, b in blocks) for blocks in dealt)
    exchanged = 4 * here * args.heads * args.head_dim * 4 * (ranks_of_heads - 1) / ranks_of_heads
    seconds = exchanged / network.bandwidth
    if ranks_of_heads > 1:
        seconds += 2 * 2 * network.latency
    received, allowed = [], []  # of the rank that has most, for each window: rows, scores
    for window in windows_of(args.positions):
        sent = [sum(overlap(block, window) for block in blocks) for blocks in of_row]
        received.append(max(max(sum(sent) - one, one * (rows - 1)) for one in sent))
        allowed.append(max(sum(scores(block, window) for block in blocks) for blocks in of_row))
    at_a_time = heads_at_a_time(args, ranks_of_heads)
    for first in range(0, args.heads, at_a_time):
        heads = min(at_a_time, args.heads - first) // ranks_of_heads
        bytes_of_row = 2 * heads * args.head_dim * 4
        message = [0 if rows == 1 else n * bytes_of_row / network.bandwidth + 2 * network.latency for n in received]
        work = [n * heads * 4 * args.head_dim / args.flops for n in allowed]
        seconds += message[0] + work[-1] + sum(max(c, t) for c, t in zip(work, message[1:]))
    return seconds


def simulate(args, folder, network, ranks, ranks_of_heads):
    """Seconds. Heads pass by some at a time, and the ranks agree in between: one time is simulated, for all."""
    heads = heads_at_a_time(args, ranks_of_heads)
    bandwidth = network.bandwidth / args.head_dim  # the program's tensors are smaller by this factor
    platform = folder / "platform.xml"
    platform.write_text(f"""<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1"><zone id="world" routing="Full">
  <cluster id="c" prefix="node-" radical="0-{ranks - 1}" suffix="" speed="{args.flops}f"
           bw="{bandwidth}Bps" lat="{network.latency}s" sharing_policy="SPLITDUPLEX"/>
</zone></platform>
""")
    hosts = folder / "hosts"
    hosts.write_text("".join(f"node-{i}\n" for i in range(ranks)))
    options = ["smpi/host-speed:1Gf", "smpi/simulate-computation:no", "smpi/bw-factor:0:1", "smpi/lat-factor:0:1",
               "network/TCP-gamma:0", "network/crosstraffic:0",
               f"smpi/send-is-detached-thresh:{EAGER_BYTES // args.head_dim}",
               f"surf/precision:{PRECISION}"]
    command = ["smpirun", "-np", str(ranks), "-platform", str(platform), "-hostfile", str(hosts),
               *[f"--cfg={option}" for option in options], str(folder / "simulated_ranks"),
               str(args.positions), str(heads), str(ranks_of_heads), str(args.head_dim)]
    run = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in run.stdout.splitlines() if line and line[0].isdigit()]
    if not lines:
        sys.exit(f"simulate_ranks: {ranks} ranks ended without a result:\n{run.stdout}{run.stderr}")
    return float(lines[-1].split()[0]) * args.heads / heads


def compile_program(folder):
    subprocess.run(["smpicxx", "-std=c++20", "-O2", "-DATTN_DISPATCHES=0", "-fno-gnu-unique",
                    "-DSMPI_NO_OVERRIDE_MALLOC", f"-I{PROJECT / 'include'}", "-isystem", "/usr/include/eigen3",
                    str(PROJECT / "bench" / "simulated_ranks.cpp"), "-o", str(folder / "simulated_ranks")],
                   check=True)


def simulate_all(args, record):
    print("| network | ranks | of heads | work, s | simulated, s | formula, s | simulated / formula |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        compile_program(folder)
        for network in args.network:
            for ranks in args.ranks:
                work = 2 * args.positions ** 2 * args.heads * args.head_dim / args.flops / ranks
                record(network.name, args.positions, ranks, 0, "ideal", work)
                for ranks_of_heads in sorted({1, math.gcd(ranks, args.heads)}):
                    computed = formula(args, network, ranks, ranks_of_heads)
                    simulated = simulate(args, folder, network, ranks, ranks_of_heads)
                    record(network.name, args.positions, ranks, ranks_of_heads, "formula", computed)
                    record(network.name, args.positions, ranks, ranks_of_heads, "simulated", simulated)
                    print(f"| {network.name} | {ranks} | {ranks_of_heads} | {work:.3f} | {simulated:.3f} "
                          f"| {computed:.3f} | {simulated / computed:.3f} |", flush=True)


def measure(args, ranks, ranks_of_heads):
    """Seconds of the slowest rank, the second time: MPI connects the ranks at the first messages. Each rank has one
    core, and so one thread; more ranks than cores share them."""
    command = ["mpirun", "--allow-run-as-root", "--oversubscribe", "--bind-to", "core:overload-allowed",
               "--mca", "mpi_yield_when_idle", "1", "-n", str(ranks), args.measure,
               "--positions", str(args.measured_positions), "--heads", str(args.heads), "--key-heads", str(args.heads),
               "--head-dim", str(args.head_dim), "--ranks-of-heads", str(ranks_of_heads), "--rounds", "2"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    return max(float(line.split()[-1]) for line in lines)


def measure_all(args, record):
    """The runs alternate, so that a slow moment of the machine is one of all."""
    runs = [(1, 1), (2, 1), (2, 2), (4, 1), (4, 4)]
    rounds = [{run: measure(args, *run) for run in runs} for _ in range(args.rounds)]
    cores = len(os.sched_getaffinity(0))
    name = f"measured on {cores} cores"
    print("| ranks | of heads | seconds | time of one rank / time |")
    print("|---|---|---|---|")
    for run in runs:
        ranks, ranks_of_heads = run
        seconds = statistics.median(each[run] for each in rounds)
        if ranks == 1:
            one = seconds
        if ranks_of_heads == 1:
            record(name, args.measured_positions, ranks, 0, "ideal", one / min(ranks, cores))
        record(name, args.measured_positions, ranks, ranks_of_heads, "measured", seconds)
        low, middle, high = statistics.quantiles([each[1, 1] / each[run] for each in rounds], n=4, method="inclusive")
        print(f"| {ranks} | {ranks_of_heads} | {seconds:.3f} | {middle:.2f} ({low:.2f}–{high:.2f}) |")


def rows_of_before(args):
    """The rows of the file that stay: those that are measured if others are simulated now, and the reverse."""
    if not args.csv or not args.csv.exists():
        return []
    with args.csv.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [row for row in rows if row[0].startswith("measured") != bool(args.measure)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positions", type=int, default=262144)
    parser.add_argument("--ranks", type=int, nargs="*", default=[8, 16, 32, 64, 128, 256])
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--head-dim", type=int, default=64)
    parser.add_argument("--flops", type=float, default=1.2e12, help="operations a second of a rank")
    parser.add_argument("--network", nargs=3, action="append", metavar=("NAME", "BANDWIDTH", "LATENCY"),
                        help="bytes a second and seconds of a rank's link; a message passes two")
    parser.add_argument("--csv", type=pathlib.Path, help="the file to write for ranks_plot")
    parser.add_argument("--measure", help="the example long_attention, compiled; nothing is simulated then")
    parser.add_argument("--measured-positions", type=int, default=16384)
    parser.add_argument("--rounds", type=int, default=5, help="how often each number of ranks is measured")
    args = parser.parse_args()
    args.network = [Network(name, float(bandwidth), float(latency))
                    for name, bandwidth, latency in args.network or NETWORKS]
    if not args.measure and not (shutil.which("smpicxx") and shutil.which("smpirun")):
        sys.exit("simulate_ranks: smpicxx and smpirun were not found (Debian: apt install libsimgrid-dev)")
    rows = rows_of_before(args)
    if args.measure:  # the first panel of the figure
        measured = []
        measure_all(args, lambda *row: measured.append(row))
        rows = measured + rows
    with args.csv.open("w", newline="") if args.csv else open(os.devnull, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["network", "positions", "ranks", "ranks of heads", "kind", "seconds"])
        writer.writerows(rows)

        def record(*row):
            writer.writerow(row)
            file.flush()

        if not args.measure:
            simulate_all(args, record)


if __name__ == "__main__":
    main()
