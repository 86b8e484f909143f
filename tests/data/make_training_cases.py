"""Writes training_cases.safetensors: how PyTorch trains a small encoder, in float64, step by step.

usage: python3 make_training_cases.py        (needs torch 2.13 and safetensors; writes beside this script)

The model is TransformerEncoder (2 layers, d_model 8, nhead 2, dim_feedforward 12, no dropout, after each sublayer a norm, relu) and on it
Linear(8, 5); the loss cross_entropy with label_smoothing and ignore_index. The tensors:
  input (3, 6, 8), targets (3, 6); initial.encoder.* and initial.head.*, the parameters at the start by their names;
  for each of Adam, AdamW and SGD: <name>.losses (steps) and <name>.norms (steps), before each step, and <name>.values (steps, numbers), all
  parameters after each step, one after another in the order of named_parameters, the encoder's and then the head's.
The metadata: order = their names, the options of each optimiser, and label_smoothing, ignore_index, max_norm, d_model, warmup_steps.
"""
import pathlib
import sys

try:
    import torch
    from safetensors.torch import save_file
except ImportError as error:
    sys.exit(f"make_training_cases.py: needs the Python packages torch and safetensors ({error})")

torch.manual_seed(1706)
torch.set_default_dtype(torch.float64)
steps, d_model, warmup, max_norm, smoothing, ignored = 20, 8, 6, 1.5, 0.1, 2


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        layer = torch.nn.TransformerEncoderLayer(d_model, nhead=2, dim_feedforward=12, dropout=0.0, batch_first=True)
        self.encoder = torch.nn.TransformerEncoder(layer, num_layers=2)
        self.head = torch.nn.Linear(d_model, 5)

    def forward(self, x):
        return self.head(self.encoder(x))


model = Model()
for parameter in model.parameters():
    torch.nn.init.normal_(parameter, std=0.4)  # no two layers alike, no bias 0
initial = {name: value.clone() for name, value in model.state_dict().items()}
x, targets = torch.randn(3, 6, d_model), torch.randint(5, (3, 6))
targets[0, 4:], targets[2, 1:] = ignored, torch.tensor([ignored, 0, 1, 3, ignored])
order = [name for name, _ in model.named_parameters()]
tensors = {"input": x, "targets": targets, **{f"initial.{name}": value for name, value in initial.items()}}
metadata = {"order": " ".join(order), "label_smoothing": str(smoothing), "ignore_index": str(ignored), "max_norm": str(max_norm),
            "d_model": str(d_model), "warmup_steps": str(warmup)}


def train(name, factor, **options):
    metadata[name] = " ".join([f"factor={factor}"] + [f"{key}={value}" for key, value in options.items()])
    if "beta2" in options:
        options["betas"] = (0.9, options.pop("beta2"))
    model.load_state_dict(initial)
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=1.0, **options)
    losses, norms, values = [], [], []
    for step in range(1, steps + 1):
        loss = torch.nn.functional.cross_entropy(model(x).flatten(0, 1), targets.flatten(), label_smoothing=smoothing, ignore_index=ignored)
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.detach())
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm))
        optimizer.param_groups[0]["lr"] = factor * d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)
        optimizer.step()
        values.append(torch.cat([parameter.detach().reshape(-1) for parameter in model.parameters()]))
    tensors.update({f"{name}.losses": torch.stack(losses), f"{name}.norms": torch.stack(norms), f"{name}.values": torch.stack(values)})
    print(f"{name}: loss {losses[0]:.3f} -> {losses[-1]:.3f}, norms {min(norms):.2f} to {max(norms):.2f}")


train("Adam", 0.2, beta2=0.98, eps=1e-9)
train("AdamW", 0.2, weight_decay=0.1)
train("SGD", 0.5, momentum=0.9)
save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, pathlib.Path(__file__).parent / "training_cases.safetensors", metadata)
