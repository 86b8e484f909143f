"""Races the library against llama.cpp: one model, alternating in one process, with equal threads.

usage: python3 bench/against_llama_cpp.py MODEL.gguf [--types F32 F16 …] [--library FILE] [--rounds N] [--threads 1 2] [--prompt N]
       [--depths N …] [--csv FILE]

llama.cpp quantizes MODEL to each type, beside it, once, so that both compute with the same weights. Keys and values are stored in 16
bits, except with F32. Where weights have 8 or 4 bits, llama.cpp rounds activations to int8; the library computes once with float
activations, and once with `round_activations`. Each line is our tokens a second over llama.cpp's, so above 1 the library is faster: the
median of the pairs, and the quartiles. `--csv` writes what storage_plot draws: tokens a second over bits a weight, one token at a time,
at the first depth and the last number of threads. `cmake --build --preset bench --target attn_against_llama_cpp` builds what it loads.
"""
import argparse
import ctypes
import pathlib
import statistics
import sys
import time

try:
    import gguf
    import llama_cpp
    import numpy
except ImportError as error:
    sys.exit(f"against_llama_cpp.py: {error.name} is missing; pip install llama-cpp-python==0.3.36 gguf brings it")

from llama_cpp_files import TYPES, quantized

default = pathlib.Path(__file__).resolve().parent.parent / "build/bench/bench/libattn_against_llama_cpp.so"
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("--types", nargs="+", choices=TYPES, default=["F32", "F16", "Q8_0", "Q4_0"])
parser.add_argument("--library", type=pathlib.Path, default=default)
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
parser.add_argument("--prompt", type=int, default=512, help="tokens of the prompt")
parser.add_argument("--depths", type=int, nargs="+", default=[10, 2000], help="tokens before those that are computed one at a time")
parser.add_argument("--tokens", type=int, default=24, help="tokens that are computed one at a time")
parser.add_argument("--csv", type=pathlib.Path, help="the rows that storage_plot draws")
arguments = parser.parse_args()
for file in (arguments.library, arguments.model):
    if not file.exists():
        sys.exit(f"against_llama_cpp.py: {file} is not there; the library is built by: "
                 "cmake --preset bench && cmake --build --preset bench --target attn_against_llama_cpp")

library = ctypes.CDLL(str(arguments.library))
library.attn_load.restype = ctypes.c_void_p
library.attn_next.restype = ctypes.POINTER(ctypes.c_float)
context = max([arguments.prompt, *arguments.depths]) + 2 * arguments.tokens


class Ours:
    def __init__(self, name):
        self.half_cache = name != "F32"
        self.handle = ctypes.c_void_p(library.attn_load(quantized(arguments.model, name).encode()))
        if not self.handle:
            sys.exit(1)

    def round_activations(self, rounded):
        library.attn_round_activations(self.handle, ctypes.c_int(rounded))

    def begin(self, threads):
        library.attn_set_threads(ctypes.c_ssize_t(threads))
        library.attn_begin(self.handle, ctypes.c_ssize_t(context), ctypes.c_int(self.half_cache))

    def next(self, tokens):
        ids = (ctypes.c_ssize_t * len(tokens))(*tokens)
        self.logits = library.attn_next(self.handle, ids, ctypes.c_ssize_t(len(tokens)))

    def last_logits(self, vocabulary):
        return numpy.ctypeslib.as_array(self.logits, (vocabulary,)).copy()


class Theirs:
    def __init__(self, name):
        cache = 0 if name == "F32" else 1
        self.llama = llama_cpp.Llama(quantized(arguments.model, name), n_ctx=context, n_batch=512, flash_attn=True, type_k=cache, type_v=cache, verbose=False,
                                     use_mmap=False)

    def begin(self, threads):
        llama_cpp.llama_set_n_threads(self.llama.ctx, threads, threads)
        self.llama.reset()
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.llama.ctx), True)

    def next(self, tokens):
        self.llama.eval(tokens)

    def last_logits(self, vocabulary):
        pointer = llama_cpp.llama_get_logits_ith(self.llama.ctx, -1)
        return numpy.ctypeslib.as_array(pointer, (vocabulary,)).copy()


def prompt_speed(side, threads):
    side.begin(threads)
    time.sleep(0.3)  # until the other side's threads sleep
    start = time.perf_counter()
    for begin in range(0, arguments.prompt, 512):
        side.next(numbers[begin:min(begin + 512, arguments.prompt)])
    return arguments.prompt / (time.perf_counter() - start)


def token_speed(side, threads, depth):
    side.begin(threads)
    for begin in range(0, depth, 512):
        side.next(numbers[begin:min(begin + 512, depth)])
    time.sleep(0.3)
    side.next(numbers[depth:depth + 1])
    start = time.perf_counter()
    for i in range(depth + 1, depth + 1 + arguments.tokens):
        side.next(numbers[i:i + 1])
    return arguments.tokens / (time.perf_counter() - start)


def race(case, threads, sides, speed):
    us, them = [], []
    for _ in range(arguments.rounds):
        them.append(speed(sides[1]))
        us.append(speed(sides[0]))
    ratios = sorted(u / t for u, t in zip(us, them))
    low, middle, high = (ratios[int(len(ratios) * share)] for share in (0.25, 0.5, 0.75))
    print(f"| {case} | {threads} | {statistics.median(them):.1f} | {statistics.median(us):.1f} | {middle:.2f} | {low:.2f}–{high:.2f} |",
          flush=True)
    return statistics.median(them), statistics.median(us)


def bits_of(name):
    """Bits a weight, the mean of all tensors of the file."""
    reader = gguf.GGUFReader(quantized(arguments.model, name))
    return 8 * sum(int(t.n_bytes) for t in reader.tensors) / sum(int(t.n_elements) for t in reader.tensors)


rows = ["library,bits,tokens_per_second"]
print(f"llama.cpp of llama-cpp-python {llama_cpp.__version__}, {arguments.rounds} pairs; tokens a second, medians\n")
print("| case | threads | llama.cpp | attn | attn / llama.cpp | quartiles |\n|---|---|---|---|---|---|")
for name in arguments.types:
    sides = Ours(name), Theirs(name)
    vocabulary = sides[1].llama.n_vocab()
    numbers = numpy.random.default_rng(1).integers(0, vocabulary, context).tolist()
    for side in sides:  # before anything is timed: both must compute the same
        side.begin(2)
        side.next(numbers[:40])
        side.next(numbers[40:41])
    gap = numpy.abs(sides[0].last_logits(vocabulary) - sides[1].last_logits(vocabulary)).max()
    assert gap < 3, f"the logits differ by {gap}"  # llama.cpp rounds activations and keys
    for rounded in (False, True) if name[0] == "Q" else (False,):
        sides[0].round_activations(rounded)
        case = f"{name}, int8 activations" if rounded else name
        for threads in arguments.threads:
            race(f"{case}, prompt of {arguments.prompt}", threads, sides, lambda side: prompt_speed(side, threads))
            for depth in arguments.depths:
                them, us = race(f"{case}, one token at a time, after {depth}", threads, sides, lambda side: token_speed(side, threads, depth))
                if arguments.csv and threads == arguments.threads[-1] and depth == arguments.depths[0]:
                    if not rounded:
                        rows.append(f"llama.cpp,{bits_of(name):.2f},{them:.1f}")
                    rows.append(f"attn{' with int8 activations' * rounded},{bits_of(name):.2f},{us:.1f}")
    del sides
if arguments.csv:
    arguments.csv.write_text("\n".join(rows) + "\n")
