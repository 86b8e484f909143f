"""Compares the library with PyTorch on cases that are drawn afresh: sizes, options, masks and numbers are others in every run.

usage: python3 tests/fresh_parity.py --program build/test/tests/contract/contract_parity [--cases 200] [--seed N] [--kinds sdpa mha] [--gradients]

PyTorch computes the cases in float64 into a file of the format that tests/contract/parity.cpp reads, and the program compares. Its output
and its exit status are passed on; the status is 2 if it could not be asked. The seed, printed first, brings the same cases back.
"""
import argparse
import json
import math
import pathlib
import random
import secrets
import struct
import subprocess
import sys
import tempfile


def give_up(sentence):
    print(f"fresh_parity.py: {sentence}", file=sys.stderr)
    sys.exit(2)


try:
    import torch
except ImportError:
    give_up("PyTorch is missing; pip install torch==2.13.0 brings it")

KINDS = ["sdpa", "mha", "encoder", "decoder"]
MASKS = ["none", "causal", "causal_upper_left", "causal_lower_right", "padding", "causal_padding", "keep", "dead_rows", "bias", "window",
         "softcap", "alibi_causal", "scale", "steep", "empty"]


class Case:
    """Options and tensors of one case, under the names that the parity program knows."""

    def __init__(self, gradients, **options):
        self.gradients = gradients
        self.text = " ".join(f"{name}={value}" for name, value in options.items())
        self.tensors, self.leaves = {}, {}

    def input(self, name, *shape, factor=1.0):
        leaf = (torch.randn(shape) * factor).requires_grad_(self.gradients)
        self.leaves[f"in.{name}"] = leaf
        return leaf

    def mask(self, name, tensor):
        self.tensors[f"mask.{name}"] = tensor.to(torch.uint8) if tensor.dtype == torch.bool else tensor

    def state(self, module):
        """Every parameter becomes another, since the zeros and ones that biases and norms start with would hide mistakes."""
        for name, parameter in module.named_parameters():
            noise = torch.randn(parameter.shape) * (0.3 / math.sqrt(parameter.shape[-1]) if parameter.dim() > 1 else 0.3)
            self.leaves[f"state.{name}"] = parameter.requires_grad_(self.gradients)
            parameter.data += noise
        return module

    def finish(self, output, **more):
        for name, tensor in {"output": output, **more}.items():
            self.tensors[f"out.{name}"] = tensor
        self.tensors |= self.leaves
        if self.gradients:
            self.tensors["cot.output"] = torch.randn(output.shape)
            output.backward(self.tensors["cot.output"])
            for name, leaf in self.leaves.items():
                self.tensors[f"grad.{name}"] = torch.zeros(leaf.shape) if leaf.grad is None else leaf.grad
        assert all(t.isfinite().all() for name, t in self.tensors.items() if name != "mask.bias")
        return self


def length(draw, longest):
    """1, a few, or up to the longest."""
    return draw.choice([1, draw.randint(2, 20), draw.randint(2, 20), draw.randint(1, longest)])


def keys_in(lengths, S):
    return torch.arange(S) < lengths[:, None]  # (B, S)


def attend(query, key, value, scale, change, allowed):
    """Output and weights of softmax(change(q kᵀ · scale)) v over the keys allowed; a query that is allowed none has zeros."""
    group = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(group, 1), value.repeat_interleave(group, 1)
    scores = change(query @ key.mT * scale)
    allowed = allowed.expand(scores.shape)
    none = ~allowed.any(-1, keepdim=True)
    weights = scores.masked_fill(~(allowed | none), -math.inf).softmax(-1) * ~none
    return weights @ value, weights


def sdpa(draw, turn, gradients):
    mask = MASKS[turn % len(MASKS)]
    sizes = {"B": draw.randint(1, 3), "G": draw.randint(1, 3), "L": length(draw, 250), "S": length(draw, 250)}
    sizes |= {name: draw.choice([1, 2, 3, 5, 8, 16, 20, 33, 64, 100]) for name in ("E", "Ev")}
    if mask in ("causal", "causal_padding", "window", "alibi_causal"):
        sizes["S"] = sizes["L"]
    if mask == "empty":
        sizes[draw.choice("LSE")] = 0
    B, G, L, S, E, Ev = sizes.values()
    H = G * draw.choice([1, 1, 2, 3])
    options, change = {}, lambda scores: scores
    i, j = torch.arange(L)[:, None], torch.arange(S)
    allowed = torch.ones(L, S, dtype=torch.bool)
    if mask in ("causal", "causal_upper_left", "causal_padding", "alibi_causal"):
        allowed = j <= i
    if mask == "causal_lower_right":
        allowed = j <= i + S - L
    if mask == "window":
        options = {"left": draw.randint(0, 30), "right": draw.randint(0, 30)}
        allowed = (i - j <= options["left"]) & (j - i <= options["right"])

    case = Case(gradients, kind="sdpa", mask=mask, **options)
    some = [extent if draw.random() < 0.7 else 1 for extent in (B, H, L, S)]  # a table's axes of extent 1 stand for all
    if mask in ("padding", "causal_padding"):
        lengths = torch.randint(0, S + 1, (B,))
        case.mask("lengths", lengths)
        allowed = allowed & keys_in(lengths, S)[:, None, None]
    if mask in ("keep", "dead_rows"):
        allowed = torch.rand(some if mask == "keep" else (B, H, L, S)) < draw.uniform(0.1, 0.9)
        if mask == "dead_rows":
            allowed[:, :, :: draw.randint(1, 3)] = False
        case.mask("keep", allowed)
    if mask == "bias":
        bias = torch.randn(some)
        if draw.random() < 0.5:
            bias[torch.rand(some) < 0.3] = -math.inf
        case.mask("bias", bias)
        allowed = bias > -math.inf
        change = lambda scores: scores + bias.where(allowed, 0)
    if mask == "alibi_causal":
        slopes = torch.rand(H)
        case.mask("slopes", slopes)
        change = lambda scores: scores - slopes[:, None, None] * (i - j).abs()
    if mask == "softcap":
        change = lambda scores: 2.5 * (scores / 2.5).tanh()
    query = case.input("query", B, H, L, E, factor=10.0 if mask == "steep" else 1.0)
    key, value = case.input("key", B, G, S, E), case.input("value", B, G, S, Ev)
    output, weights = attend(query, key, value, 0.37 if mask == "scale" else 1 / math.sqrt(max(E, 1)), change, allowed)
    return case.finish(output, weights=weights)


def mha(draw, turn, gradients):
    variant = ["self", "cross", "causal", "padding"][turn % 4]
    one_source = variant == "self" or (variant != "cross" and draw.random() < 0.5)
    num_heads, B, L = draw.randint(1, 5), draw.randint(1, 3), length(draw, 100)
    embed_dim = num_heads * draw.choice([1, 3, 4, 8, 17])
    kdim, vdim = (embed_dim if one_source or draw.random() < 0.4 else draw.randint(1, 24) for _ in range(2))
    S = L if one_source or variant == "causal" else length(draw, 100)
    bias = draw.random() < 0.7
    case = Case(gradients, kind="mha", variant=variant, embed_dim=embed_dim, num_heads=num_heads, kdim=kdim, vdim=vdim, bias=int(bias))
    module = case.state(torch.nn.MultiheadAttention(embed_dim, num_heads, bias=bias, kdim=kdim, vdim=vdim, batch_first=True))
    query = case.input("query", B, L, embed_dim)
    key, value = (query, query) if one_source else (case.input("key", B, S, kdim), case.input("value", B, S, vdim))
    excluded = {}  # PyTorch's modules mean by True what may not be attended to
    if variant == "causal":
        excluded["attn_mask"] = torch.arange(S) > torch.arange(L)[:, None]
    if variant == "padding":
        lengths = torch.randint(1, S + 1, (B,))
        case.mask("lengths", lengths)
        excluded["key_padding_mask"] = ~keys_in(lengths, S)
    output, weights = module(query, key, value, average_attn_weights=False, **excluded)
    return case.finish(output, weights=weights)


def stack(kind, draw, turn, gradients):
    activation, norm_first, final_norm = ["relu", "gelu"][turn % 2], turn // 2 % 2, turn // 4 % 2  # each of the eight in turn
    nhead, B, L, S = draw.randint(1, 4), draw.randint(1, 3), length(draw, 50), length(draw, 50)
    d_model, dim_feedforward, num_layers = nhead * draw.choice([6, 8, 13, 16]), draw.randint(1, 70), draw.randint(1, 3)
    case = Case(gradients, kind=kind, d_model=d_model, nhead=nhead, dim_feedforward=dim_feedforward, activation=activation,
                norm_first=norm_first, num_layers=num_layers, final_norm=final_norm)
    nn, encodes = torch.nn, kind == "encoder"
    one = (nn.TransformerEncoderLayer if encodes else nn.TransformerDecoderLayer)(
        d_model, nhead, dim_feedforward, dropout=0.0, activation=activation, batch_first=True, norm_first=bool(norm_first))
    norm = nn.LayerNorm(d_model) if final_norm else None
    module = nn.TransformerEncoder(one, num_layers, norm, enable_nested_tensor=False) if encodes else nn.TransformerDecoder(one, num_layers, norm)
    case.state(module)
    lengths = torch.randint(1, (L if encodes else S) + 1, (B,))
    case.mask("lengths", lengths)
    hidden = []  # what the activations are given
    for each in module.layers:
        each.linear1.register_forward_hook(lambda linear, inputs, output: hidden.append(output.detach()))
    while True:
        if encodes:
            output = module(case.input("src", B, L, d_model), src_key_padding_mask=~keys_in(lengths, L))
        else:
            ahead = torch.arange(L) > torch.arange(L)[:, None]
            output = module(case.input("tgt", B, L, d_model), case.input("memory", B, S, d_model), tgt_mask=ahead,
                            memory_key_padding_mask=~keys_in(lengths, S))
        if activation != "relu" or min(h.abs().min() for h in hidden) > 1e-5:
            return case.finish(output)
        hidden.clear()  # so near to ReLU's corner rounding to float may change the derivative: other inputs


def write_safetensors(path, metadata, tensors):
    """The length of the header, the header, the numbers: those of eight bytes first, so that all lie at multiples of their size."""
    formats = {torch.float64: ("F64", "d"), torch.int64: ("I64", "q"), torch.uint8: ("U8", "B")}
    header, data = {"__metadata__": metadata}, bytearray()
    for name, tensor in sorted(tensors.items(), key=lambda named: -named[1].element_size()):
        dtype, code = formats[tensor.dtype]
        begin = len(data)
        data += struct.pack(f"<{tensor.numel()}{code}", *tensor.flatten().tolist())
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=pathlib.Path, required=True, help="tests/contract/parity.cpp, built")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, help="by default another in every run")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--gradients", action="store_true", help="for a program built with PARITY=3")
    parser.add_argument("--keep", type=pathlib.Path, metavar="FILE", help="write the cases there, and leave them")
    arguments = parser.parse_args()
    if not arguments.program.is_file():
        give_up(f"{arguments.program} is not there; build it by: cmake --build --preset test --target contract_parity")
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    print(f"fresh_parity.py: seed {seed}, {arguments.cases} cases of {' '.join(arguments.kinds)}, PyTorch {torch.__version__}", flush=True)

    torch.set_default_dtype(torch.float64)
    make = {"sdpa": sdpa, "mha": mha, "encoder": lambda *how: stack("encoder", *how), "decoder": lambda *how: stack("decoder", *how)}
    metadata, tensors = {}, {}
    for number in range(arguments.cases):
        draw = random.Random(f"{seed} {number}")
        torch.manual_seed(draw.getrandbits(60))
        turn, kind = divmod(number, len(arguments.kinds))
        case = make[arguments.kinds[kind]](draw, turn, arguments.gradients)
        name = f"{number:04d}"
        metadata[name] = case.text
        tensors |= {f"{name}.{tensor}": values.detach() for tensor, values in case.tensors.items()}

    with tempfile.TemporaryDirectory() as folder:
        path = arguments.keep or pathlib.Path(folder) / "cases.safetensors"
        write_safetensors(path, metadata, tensors)
        status = subprocess.run([arguments.program.resolve(), path]).returncode
    sys.exit(status if status >= 0 else 128 - status)  # a signal's number, as a shell gives it


main()
