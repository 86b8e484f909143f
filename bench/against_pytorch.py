"""Races the library against PyTorch: the same inputs, alternating in one process, with equal threads.

usage: python3 bench/against_pytorch.py [--library FILE] [--rounds N] [--threads 1 2] [--only TEXT]

Each line is PyTorch's time over ours, so above 1 the library is faster: the median of the pairs, and the quartiles.
`cmake --build --preset bench --target attn_against_pytorch` builds what it loads.
"""
import argparse
import ctypes
import pathlib
import statistics
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("against_pytorch.py: PyTorch is missing; pip install torch==2.13.0 brings it")

default = pathlib.Path(__file__).resolve().parent.parent / "build/bench/bench/libattn_against_pytorch.so"
parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--library", type=pathlib.Path, default=default)
parser.add_argument("--rounds", type=int, default=21)
parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
parser.add_argument("--only", default="", help="run the cases whose names contain this")
arguments = parser.parse_args()
if not arguments.library.exists():
    sys.exit(f"against_pytorch.py: {arguments.library} is not there; build it by: "
             "cmake --preset bench && cmake --build --preset bench --target attn_against_pytorch")

library = ctypes.CDLL(str(arguments.library))
for function in (library.attn_state, library.attn_multi_head, library.attn_encoder, library.attn_training):
    function.restype = ctypes.c_void_p
for function in (library.attn_multi_head_run, library.attn_encoder_run):
    function.restype = ctypes.POINTER(ctypes.c_float)
library.attn_training_step.restype = ctypes.c_float


def pointer(tensor):
    assert tensor.is_contiguous() and tensor.dtype in (torch.float32, torch.int64)
    return ctypes.c_void_p(tensor.data_ptr())


def size(n):
    return ctypes.c_ssize_t(n)


def state_of(module):
    """The library's state dict with the values of a PyTorch module."""
    state = ctypes.c_void_p(library.attn_state())
    for name, value in module.state_dict().items():
        shape = (ctypes.c_ssize_t * value.dim())(*value.shape)
        library.attn_state_set(state, name.encode(), shape, size(value.dim()), pointer(value))
    return state


def as_tensor(data, shape):
    count = 1
    for extent in shape:
        count *= extent
    return torch.frombuffer((ctypes.c_float * count).from_address(ctypes.addressof(data.contents)), dtype=torch.float32).reshape(shape)


class Case:
    tolerance, training, compare = 2e-4, False, True


class Attention(Case):
    def __init__(self, B, H, L, E, causal):
        self.name = f"attention B{B} H{H} L{L} E{E}{' causal' if causal else ''}"
        self.q, self.k, self.v = (torch.randn(B, H, L, E) for _ in range(3))
        self.o, self.causal = torch.empty(B, H, L, E), causal
        self.sizes = [size(n) for n in (B, H, L, L, E)] + [ctypes.c_int(causal)]

    def theirs(self):
        return torch.nn.functional.scaled_dot_product_attention(self.q, self.k, self.v, is_causal=self.causal)

    def ours(self):
        library.attn_attend(*map(pointer, (self.q, self.k, self.v, self.o)), *self.sizes)
        return self.o


class AttentionAndBack(Attention):
    """Forward, and the gradients of query, key and value."""
    training = True

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.name += " forward + backward"
        for x in (self.q, self.k, self.v):
            x.requires_grad_()
        self.d_o = torch.randn_like(self.o)
        self.gradients = [torch.empty_like(self.o) for _ in range(3)]

    def theirs(self):
        for x in (self.q, self.k, self.v):
            x.grad = None
        super().theirs().backward(self.d_o)
        return torch.stack([x.grad for x in (self.q, self.k, self.v)]) if self.compare else None

    def ours(self):
        library.attn_attend_with_backward(*map(pointer, (self.q, self.k, self.v, self.d_o, self.o, *self.gradients)), *self.sizes)
        return torch.stack(self.gradients) if self.compare else None


class TrainingStep(Case):
    """An encoder-decoder as the paper's, one step of Adam; the losses of the first steps are compared."""
    training = True

    def __init__(self, B, L, V, D, H, F, N):
        self.name = f"training step, {D} wide, {H} heads, {N} + {N} layers, {F} inner, vocabulary {V}, batch {B} x {L}, Adam"
        how = dict(dropout=0.0, batch_first=True)
        self.model = torch.nn.ModuleDict({
            "source_embedding": torch.nn.Embedding(V, D), "target_embedding": torch.nn.Embedding(V, D),
            "encoder": torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(D, H, F, **how), N, enable_nested_tensor=False),
            "decoder": torch.nn.TransformerDecoder(torch.nn.TransformerDecoderLayer(D, H, F, **how), N), "output": torch.nn.Linear(D, V)})
        torch.nn.init.normal_(self.model["source_embedding"].weight, std=D**-0.5)
        torch.nn.init.normal_(self.model["target_embedding"].weight, std=D**-0.5)
        angle = torch.arange(L)[:, None] / 10000 ** (torch.arange(0, D, 2) / D)
        self.position = torch.stack([angle.sin(), angle.cos()], -1).reshape(L, D)
        self.ahead = torch.nn.Transformer.generate_square_subsequent_mask(L)
        self.tokens = [torch.randint(0, V, (B, L)) for _ in range(3)]
        self.adam, self.D = torch.optim.Adam(self.model.parameters()), D
        self.handle = ctypes.c_void_p(library.attn_training(state_of(self.model), *map(size, (V, D, H, F, N))))

    def theirs(self):
        source, target, following = self.tokens
        memory = self.model["encoder"](self.model["source_embedding"](source) * self.D**0.5 + self.position)
        x = self.model["target_embedding"](target) * self.D**0.5 + self.position
        logits = self.model["output"](self.model["decoder"](x, memory, tgt_mask=self.ahead, tgt_is_causal=True))
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), following.flatten())
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        return loss.detach()

    def ours(self):
        rows, length = self.tokens[0].shape
        return torch.tensor(library.attn_training_step(self.handle, *map(pointer, self.tokens), size(rows), size(length), ctypes.c_double(1e-3)))


class MultiHead(Case):
    def __init__(self, B, L, D, H):
        self.name = f"MultiheadAttention {B}x{L}x{D}, {H} heads, no weights"
        self.layer, self.x = torch.nn.MultiheadAttention(D, H, batch_first=True).eval(), torch.randn(B, L, D)
        self.handle = ctypes.c_void_p(library.attn_multi_head(state_of(self.layer), size(D), size(H)))

    def theirs(self):
        return self.layer(self.x, self.x, self.x, need_weights=False)[0]

    def ours(self):
        return as_tensor(library.attn_multi_head_run(self.handle, pointer(self.x), *map(size, self.x.shape)), self.x.shape)


class Encoder(Case):
    def __init__(self, name, B, L, D, H, F, N, activation):
        self.name = f"{name}, B{B} L{L}"
        layer = torch.nn.TransformerEncoderLayer(D, H, F, activation=activation, batch_first=True)
        self.layer, self.x = torch.nn.TransformerEncoder(layer, N, enable_nested_tensor=False).eval(), torch.randn(B, L, D)
        sizes = map(size, (D, H, F, N))
        self.handle = ctypes.c_void_p(library.attn_encoder(state_of(self.layer), *sizes, ctypes.c_int(activation == "gelu")))

    def theirs(self):
        return self.layer(self.x)

    def ours(self):
        return as_tensor(library.attn_encoder_run(self.handle, pointer(self.x), *map(size, self.x.shape)), self.x.shape)


def time_of(call, repeats):
    """Seconds of one call: the mean of `repeats`, after the threads of the other side have gone to sleep."""
    time.sleep(0.003)
    call()
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def race(case, threads):
    torch.set_num_threads(threads)
    library.attn_set_threads(size(threads))
    for _ in range(3 if case.compare else 0):  # before anything is timed, for training steps of one side only would part the two
        gap = (case.ours() - case.theirs()).abs().max().item()
        assert gap < case.tolerance, f"{case.name}: the results differ by {gap}"
    case.compare = False
    repeats = max(1, int(0.01 / time_of(case.theirs, 1)))
    theirs, ours = [], []
    for _ in range(arguments.rounds):
        theirs.append(time_of(case.theirs, repeats))
        ours.append(time_of(case.ours, repeats))
    ratios = sorted(t / o for t, o in zip(theirs, ours))
    low, middle, high = (ratios[int(len(ratios) * share)] for share in (0.25, 0.5, 0.75))
    print(f"| {case.name} | {threads} | {1e3 * statistics.median(theirs):.2f} | {1e3 * statistics.median(ours):.2f} | "
          f"{middle:.2f} | {low:.2f}–{high:.2f} |", flush=True)


torch.manual_seed(1)
cases = [lambda L=L, causal=causal: Attention(1, 8, L, 64, causal) for causal in (False, True) for L in (512, 1024, 2048, 4096)]
cases += [lambda: Attention(8, 8, 128, 64, False), lambda: MultiHead(8, 512, 512, 8), lambda: MultiHead(1, 128, 512, 8)]
cases += [lambda B=B: Encoder("encoder of 6 layers, 512 wide, 8 heads, 2048 inner, relu", B, 128, 512, 8, 2048, 6, "relu") for B in (8, 1)]
cases += [lambda: Encoder("encoder of MiniLM's sizes: 6 layers, 384 wide, 12 heads, 1536 inner, gelu", 1, 128, 384, 12, 1536, 6, "gelu")]
cases += [lambda causal=causal: AttentionAndBack(1, 8, 1024, 64, causal) for causal in (False, True)]
cases += [lambda: TrainingStep(32, 32, 1000, 256, 4, 1024, 3)]

print(f"PyTorch {torch.__version__}, float, {arguments.rounds} pairs; times in ms, medians\n")
print("| case | threads | PyTorch | attn | PyTorch / attn | quartiles |\n|---|---|---|---|---|---|")
for make in cases:
    case = make()
    if arguments.only in case.name:
        with torch.inference_mode(not case.training):
            for threads in arguments.threads:
                race(case, threads)
