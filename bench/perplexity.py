"""Compares the perplexity of a language model with llama.cpp's, of the same file.

usage: python3 bench/perplexity.py MODEL.gguf --text FILE [--types F32 F16 …] [--library FILE] [--tokens N] [--threads N]

Perplexity is exp of the mean of −log p(token | the tokens before it), over parts of 512 tokens, each by itself. llama.cpp makes the files
of the other types and splits the text into tokens, as in against_llama_cpp.py. Its cache is in F32. Where weights have 8 or 4 bits it
rounds activations to int8; the library computes once with float activations, and once with `round_activations`.

The figures of bench/README.md are of Genesis in the King James Version: `bible Genesis1:1-50:26 > genesis.txt`, of Debian's package bible-kjv.
"""
import argparse
import ctypes
import math
import pathlib
import sys
import time

try:
    import llama_cpp
    import numpy
except ImportError:
    sys.exit("perplexity.py: llama.cpp is missing; pip install llama-cpp-python==0.3.36 brings it")

from llama_cpp_files import TYPES, quantized

default = pathlib.Path(__file__).resolve().parent.parent / "build/bench/bench/libattn_against_llama_cpp.so"
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("--text", type=pathlib.Path, required=True)
parser.add_argument("--types", nargs="+", choices=TYPES, default=["F32", "F16", "Q8_0", "Q4_0", "Q4_1"])
parser.add_argument("--library", type=pathlib.Path, default=default)
parser.add_argument("--tokens", type=int, default=20480)
parser.add_argument("--threads", type=int, default=2)
arguments = parser.parse_args()
for file in (arguments.library, arguments.model, arguments.text):
    if not file.exists():
        sys.exit(f"perplexity.py: {file} is not there; the library is built by: "
                 "cmake --preset bench && cmake --build --preset bench --target attn_against_llama_cpp")
part = 512

library = ctypes.CDLL(str(arguments.library))
library.attn_load.restype = ctypes.c_void_p
library.attn_set_threads(ctypes.c_ssize_t(arguments.threads))


def their_losses(llama, tokens):
    llama.reset()
    llama.eval(tokens)
    logits = llama.scores[:len(tokens) - 1].astype(numpy.float64)
    largest = logits.max(axis=1)
    sums = numpy.log(numpy.exp(logits - largest[:, None]).sum(axis=1)) + largest
    return sums - logits[numpy.arange(len(tokens) - 1), tokens[1:]]


def our_losses(handle, tokens):
    losses = numpy.empty(len(tokens) - 1)
    ids = (ctypes.c_ssize_t * len(tokens))(*tokens)
    library.attn_losses(handle, ids, ctypes.c_ssize_t(len(tokens)), losses.ctypes.data_as(ctypes.POINTER(ctypes.c_double)))
    return losses


def perplexity(losses_of, parts):
    losses = numpy.concatenate([losses_of(tokens) for tokens in parts])
    return math.exp(losses.mean())


print("| type | llama.cpp | attn | difference | attn, int8 activations | difference |\n|---|---|---|---|---|---|", flush=True)
for name in arguments.types:
    begin = time.perf_counter()
    llama = llama_cpp.Llama(quantized(arguments.model, name), n_ctx=part, n_batch=part, n_threads=arguments.threads, n_threads_batch=arguments.threads,
                            type_k=0, type_v=0, logits_all=True, verbose=False)
    tokens = llama.tokenize(arguments.text.read_bytes(), add_bos=False)[:arguments.tokens]
    if len(tokens) < arguments.tokens:
        sys.exit(f"perplexity.py: {arguments.text} has {len(tokens)} tokens, and must have {arguments.tokens}")
    parts = [tokens[i:i + part] for i in range(0, len(tokens) - 1, part)]
    theirs = perplexity(lambda tokens: their_losses(llama, tokens), parts)
    del llama
    handle = ctypes.c_void_p(library.attn_load(quantized(arguments.model, name).encode()))
    cells = [f"{theirs:.4f}"]
    for rounded in (False, True):
        if rounded and name[0] != "Q":
            cells += ["", ""]
            continue
        library.attn_round_activations(handle, ctypes.c_int(rounded))
        ours = perplexity(lambda tokens: our_losses(handle, tokens), parts)
        cells += [f"{ours:.4f}", f"{100 * (ours / theirs - 1):+.3f} %"]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    print(f"{name}: {time.perf_counter() - begin:.0f} s", file=sys.stderr)
