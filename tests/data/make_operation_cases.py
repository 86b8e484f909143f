"""Writes operation_cases.safetensors: values and gradients of PyTorch's operations in float64.

usage: python3 make_operation_cases.py      (needs torch 2.13 and safetensors; writes beside this script)

Inputs: x (3, 4, 5), y (4, 5), z (5), w (3, 5, 2). For each case <name>: <name>.value, and <name>.dx, .dy, .dz, .dw for the inputs
that it has, the gradients of sum(value * weight), with <name>.weight.
"""
import pathlib
import sys

try:
    import torch
    from safetensors.torch import save_file
except ImportError as error:
    sys.exit(f"make_operation_cases.py: needs the Python packages torch and safetensors ({error})")

torch.manual_seed(1962)
torch.set_default_dtype(torch.float64)
inputs = {"x": torch.randn(3, 4, 5), "y": torch.randn(4, 5), "z": torch.randn(5), "w": torch.randn(3, 5, 2)}
F = torch.nn.functional
cases = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, z: z - x,
    "multiply": lambda y, x: x * y,
    "divide": lambda x, z: x / z,
    "numbers": lambda x: 2 * x - 3 + (1 - x) / 4 + 5 / (x + 7),
    "exp": lambda x: torch.exp(x),
    "log": lambda x: torch.log(torch.abs(x)),
    "tanh": lambda x: torch.tanh(x),
    "sigmoid": lambda x: torch.sigmoid(x),
    "sqrt": lambda x: torch.sqrt(torch.abs(x)),
    "matmul": lambda x, w: torch.matmul(x, w),
    "matmul_shared": lambda x, y: torch.matmul(x, y.T),
    "softmax": lambda x: torch.softmax(x, -1),
    "sum": lambda x: x.sum().reshape(1),
    "sum_1": lambda x: x.sum(1),
    "mean": lambda x: x.mean().reshape(1),
    "mean_0": lambda x: x.mean(0),
    "reshape": lambda x: x.reshape(6, 10),
    "permute": lambda x: x.permute(2, 0, 1),
    "slice": lambda x: x[:, 1:3],
    "concatenate": lambda x: torch.cat([x, x * x], 1),
    "mse_loss": lambda x, y: F.mse_loss(x, y.expand(3, 4, 5)).reshape(1),
    "binary_cross_entropy": lambda x, y: F.binary_cross_entropy(torch.sigmoid(x), torch.sigmoid(y).expand(3, 4, 5)).reshape(1),
    "binary_cross_entropy_with_logits":
        lambda x, y: F.binary_cross_entropy_with_logits(x, torch.sigmoid(y).expand(3, 4, 5)).reshape(1),
}
tensors = dict(inputs)
for name, function in cases.items():
    names = function.__code__.co_varnames
    leaves = {n: inputs[n].clone().requires_grad_() for n in names}
    value = function(**leaves)
    weight = torch.randn_like(value)
    (value * weight).sum().backward()
    tensors[f"{name}.value"], tensors[f"{name}.weight"] = value.detach(), weight
    for n in names:
        tensors[f"{name}.d{n}"] = leaves[n].grad
path = pathlib.Path(__file__).with_name("operation_cases.safetensors")
save_file({name: t.contiguous() for name, t in tensors.items()}, path)
print(f"{path.name}: {len(cases)} cases")
