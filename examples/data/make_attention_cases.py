"""Writes attention_cases.safetensors: what PyTorch computes, in float64, for small attention calls.

usage: python3 make_attention_cases.py        (needs torch and safetensors; writes beside this script)

Case N is the metadata entry "N" = "kind=... option=value ...", with tensors N.query, N.key, N.value, N.mask, N.bias,
N.lengths, N.state.* as the case needs, and N.output, N.weights. Masks: 1 = may attend.
"""
import pathlib
import sys

try:
    import torch
    from safetensors.torch import save_file
except ImportError as error:
    sys.exit(f"make_attention_cases.py: needs the Python packages torch and safetensors ({error})")

torch.manual_seed(1706)
torch.set_default_dtype(torch.float64)
tensors, metadata = {}, {}


def add(options, **named):
    case = f"{len(metadata):02d}"
    metadata[case] = " ".join(f"{key}={value}" for key, value in options.items())
    for name, tensor in named.items():
        tensors[f"{case}.{name}"] = tensor.detach().clone().contiguous()
    return case


def functional(mask, B, H, G, L, S, E, Ev, **options):
    query, key, value = torch.randn(B, H, L, E), torch.randn(B, G, S, E), torch.randn(B, G, S, Ev)
    extra, call = {}, dict(options)
    if mask == "keep":
        keep = torch.rand(B, 1, L, S) > 0.4
        keep[..., 0] = True
        extra["mask"], call["attn_mask"] = keep.to(torch.uint8), keep
    if mask == "bias":
        extra["bias"] = call["attn_mask"] = torch.randn(1, H, L, S)
    if mask == "causal":
        call["is_causal"] = True
    attend = torch.nn.functional.scaled_dot_product_attention
    output = attend(query, key, value, enable_gqa=H != G, **call)
    # With the identity as values the output is the weights.
    weights = attend(query, key, torch.eye(S).expand(B, G, S, S), enable_gqa=H != G, **call)
    add({"kind": "scaled_dot_product", "rule": mask, **options}, query=query, key=key, value=value, output=output, weights=weights, **extra)


functional("none", 2, 3, 3, 5, 7, 8, 6)
functional("none", 1, 1, 1, 1, 1, 1, 1)
functional("none", 1, 2, 2, 9, 4, 16, 3, scale=0.3)
functional("causal", 2, 2, 2, 6, 6, 4, 5)
functional("causal", 1, 2, 2, 4, 9, 4, 4)
functional("keep", 2, 2, 2, 7, 5, 6, 6)
functional("bias", 2, 3, 3, 4, 8, 5, 7)
functional("none", 2, 6, 2, 3, 5, 4, 4)


def module(rule, B, L, S, D, heads, kdim=None, vdim=None, bias=True):
    layer = torch.nn.MultiheadAttention(D, heads, bias=bias, kdim=kdim, vdim=vdim, batch_first=True)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    query = torch.randn(B, L, D)
    one_source = S is None
    key = query if one_source else torch.randn(B, S, kdim or D)
    value = query if one_source else torch.randn(B, S, vdim or D)
    extra, call = ({} if one_source else {"key": key, "value": value}), {}
    if rule == "causal":
        call["attn_mask"] = torch.ones(L, L).triu(1).bool()
    if rule == "padding":
        lengths = torch.randint(1, key.shape[1] + 1, (B,))
        extra["lengths"], call["key_padding_mask"] = lengths, torch.arange(key.shape[1])[None] >= lengths[:, None]
    output, weights = layer(query, key, value, need_weights=True, average_attn_weights=False, **call)
    options = {"kind": "self_attention" if one_source else "multi_head", "rule": rule, "embed_dim": D, "num_heads": heads,
               "kdim": kdim or D, "vdim": vdim or D, "bias": int(bias)}
    case = add(options, query=query, output=output, weights=weights, **extra)
    for name, parameter in layer.named_parameters():
        tensors[f"{case}.state.{name}"] = parameter.detach().clone().contiguous()


module("none", 2, 5, 7, 12, 3)
module("none", 2, 4, 6, 8, 2, kdim=5, vdim=9)
module("padding", 3, 4, 6, 8, 4, bias=False)
module("none", 2, 6, None, 12, 4)
module("causal", 1, 9, None, 8, 2)
module("padding", 2, 7, None, 6, 1)

save_file(tensors, pathlib.Path(__file__).parent / "attention_cases.safetensors", metadata)
print(f"{len(metadata)} cases, {sum(t.numel() for t in tensors.values())} numbers")
