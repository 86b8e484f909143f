"""Writes optimizer_cases.safetensors: what PyTorch's optimisers make of given gradients, in float64, step by step.

usage: python3 make_optimizer_cases.py        (needs torch 2.13 and safetensors; writes beside this script)

Case N is the metadata entry "N" = "optimizer=... option=value ...". All cases begin with the same parameters and get the same
gradients: initial, gradients (steps, numbers). Of a case there are N.values (steps, numbers) after every step, and the norms before
clipping, norms (steps), are of all. Numbers are those of the parameters one after another, of the shapes (7, 5), (5), (3, 4), (4).
"""
import pathlib
import sys

try:
    import torch
    from safetensors.torch import save_file
except ImportError as error:
    sys.exit(f"make_optimizer_cases.py: needs the Python packages torch and safetensors ({error})")

torch.manual_seed(1412)
torch.set_default_dtype(torch.float64)
shapes, steps, d_model, warmup, max_norm = [(7, 5), (5,), (3, 4), (4,)], 20, 16, 8, 7.0
initial = [torch.randn(shape) for shape in shapes]
sizes = torch.rand(steps) * 1.6 + 0.1  # some norms are below max_norm and some above
gradients = [[torch.randn(shape) * size for shape in shapes] for size in sizes]
tensors, metadata = {}, {"max_norm": str(max_norm), "d_model": str(d_model), "warmup_steps": str(warmup)}


def flat(parts):
    return torch.cat([part.detach().reshape(-1) for part in parts]).clone()


def add(optimizer, factor, **options):
    case = f"{len(tensors)}"
    metadata[case] = " ".join([f"optimizer={optimizer}", f"factor={factor}"] + [f"{key}={float(value)}" for key, value in options.items()])
    parameters = [torch.nn.Parameter(value.clone()) for value in initial]
    if optimizer != "SGD":
        options["betas"] = (options.pop("beta1", 0.9), options.pop("beta2", 0.999))
    optimizer = getattr(torch.optim, optimizer)(parameters, lr=1.0, **options)
    values, norms = [], []
    for step in range(1, steps + 1):
        for parameter, gradient in zip(parameters, gradients[step - 1]):
            parameter.grad = gradient.clone()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, max_norm))
        optimizer.param_groups[0]["lr"] = factor * d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)
        optimizer.step()
        values.append(flat(parameters))
    tensors[f"{case}.values"] = torch.stack(values)
    return torch.stack(norms)


norms = add("SGD", 0.5)
add("SGD", 0.5, momentum=0.9, weight_decay=0.1)
add("SGD", 0.5, momentum=0.9, dampening=0.3)
add("SGD", 0.5, momentum=0.8, nesterov=True, weight_decay=0.02)
add("Adam", 1.0)
add("Adam", 1.0, weight_decay=0.1)
add("Adam", 1.0, beta1=0.8, beta2=0.98, eps=1e-3)
add("AdamW", 1.0)
add("AdamW", 1.0, weight_decay=0.3, eps=1e-9)
assert (norms < max_norm).sum() >= 3 and (norms > max_norm).sum() >= 3

tensors.update(initial=flat(initial), gradients=torch.stack([flat(step) for step in gradients]), norms=norms)
save_file(tensors, pathlib.Path(__file__).parent / "optimizer_cases.safetensors", metadata)
print(f"{len(tensors) - 3} cases, {sum(t.numel() for t in tensors.values())} numbers")
