"""Races the library against llama.cpp: one model, alternating in one process, with equal threads.

usage: python3 bench/against_llama_cpp.py MODEL.gguf [--library FILE] [--rounds N] [--threads 1 2] [--prompt N] [--depths N …]

MODEL is quantized to F32 by llama.cpp beside itself, once, so that both compute with the same weights. Each line is our tokens a second
over llama.cpp's, so above 1 the library is faster: the median of the pairs, and the quartiles. `cmake --build --preset bench --target
attn_against_llama_cpp` builds what it loads.
"""
import argparse
import ctypes
import pathlib
import statistics
import sys
import time

try:
    import llama_cpp
    import numpy
except ImportError:
    sys.exit("against_llama_cpp.py: llama.cpp is missing; pip install llama-cpp-python==0.3.36 brings it")

default = pathlib.Path(__file__).resolve().parent.parent / "build/bench/bench/libattn_against_llama_cpp.so"
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("--library", type=pathlib.Path, default=default)
parser.add_argument("--rounds", type=int, default=9)
parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
parser.add_argument("--prompt", type=int, default=512, help="tokens of the prompt")
parser.add_argument("--depths", type=int, nargs="+", default=[10, 2000], help="tokens before those that are computed one at a time")
parser.add_argument("--tokens", type=int, default=24, help="tokens that are computed one at a time")
arguments = parser.parse_args()
for file in (arguments.library, arguments.model):
    if not file.exists():
        sys.exit(f"against_llama_cpp.py: {file} is not there; the library is built by: "
                 "cmake --preset bench && cmake --build --preset bench --target attn_against_llama_cpp")

plain = arguments.model.with_suffix(".f32.gguf")
if not plain.exists():
    how = llama_cpp.llama_model_quantize_default_params()
    how.ftype, how.allow_requantize = llama_cpp.LLAMA_FTYPE_ALL_F32, True
    if llama_cpp.llama_model_quantize(str(arguments.model).encode(), str(plain).encode(), ctypes.byref(how)) != 0:
        sys.exit(f"against_llama_cpp.py: llama.cpp could not write {plain}")

library = ctypes.CDLL(str(arguments.library))
library.attn_load.restype = ctypes.c_void_p
library.attn_next.restype = ctypes.POINTER(ctypes.c_float)
context = max([arguments.prompt, *arguments.depths]) + 2 * arguments.tokens


class Ours:
    def __init__(self):
        self.handle = ctypes.c_void_p(library.attn_load(str(plain).encode()))
        if not self.handle:
            sys.exit(1)

    def begin(self, threads):
        library.attn_set_threads(ctypes.c_ssize_t(threads))
        library.attn_begin(self.handle, ctypes.c_ssize_t(context))

    def next(self, tokens):
        ids = (ctypes.c_ssize_t * len(tokens))(*tokens)
        self.logits = library.attn_next(self.handle, ids, ctypes.c_ssize_t(len(tokens)))

    def last_logits(self, vocabulary):
        return numpy.ctypeslib.as_array(self.logits, (vocabulary,)).copy()


class Theirs:
    def __init__(self):
        self.llama = llama_cpp.Llama(str(plain), n_ctx=context, n_batch=512, flash_attn=True, type_k=0, type_v=0, verbose=False,
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


ours, theirs = Ours(), Theirs()
vocabulary = theirs.llama.n_vocab()
numbers = numpy.random.default_rng(1).integers(0, vocabulary, context).tolist()


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


def race(name, threads, speed):
    us, them = [], []
    for _ in range(arguments.rounds):
        them.append(speed(theirs))
        us.append(speed(ours))
    ratios = sorted(u / t for u, t in zip(us, them))
    low, middle, high = (ratios[int(len(ratios) * share)] for share in (0.25, 0.5, 0.75))
    print(f"| {name} | {threads} | {statistics.median(them):.1f} | {statistics.median(us):.1f} | {middle:.2f} | {low:.2f}–{high:.2f} |",
          flush=True)


for side in (ours, theirs):  # before anything is timed: both must compute the same
    side.begin(2)
    side.next(numbers[:40])
    side.next(numbers[40:41])
gap = numpy.abs(ours.last_logits(vocabulary) - theirs.last_logits(vocabulary)).max()
assert gap < 0.3, f"the logits differ by {gap}"  # llama.cpp's flash attention rounds to 16 bits

print(f"llama.cpp of llama-cpp-python {llama_cpp.__version__}, F32, {arguments.rounds} pairs; tokens a second, medians\n")
print("| case | threads | llama.cpp | attn | attn / llama.cpp | quartiles |\n|---|---|---|---|---|---|")
for threads in arguments.threads:
    race(f"prompt of {arguments.prompt}", threads, lambda side: prompt_speed(side, threads))
    for depth in arguments.depths:
        race(f"one token at a time, after {depth}", threads, lambda side: token_speed(side, threads, depth))
