"""Makes Hugging Face's models compute in float64 throughout, for the scripts beside this one.

transformers computes RMSNorm and the angles of rotary positions in float32, whatever the model's type, and so does the softmax of its
plain attention.
"""
import math

import torch


def exact_frequencies(config, rounded):
    """The frequencies of transformers, `rounded` to float32, in float64."""
    scaling = dict(getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {})
    kind = scaling.get("rope_type", "default")
    base = scaling.get("rope_theta") or config.rope_theta
    theta = base ** (-torch.arange(0, 2 * len(rounded), 2).double() / (2 * len(rounded)))
    if kind == "linear":
        theta = theta / scaling["factor"]
    elif kind == "llama3":
        turns = scaling["original_max_position_embeddings"] * theta / (2 * math.pi)  # in the context of training
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        smooth = ((turns - low) / (high - low)).clamp(0, 1)
        theta = (1 - smooth) * theta / scaling["factor"] + smooth * theta
    assert torch.allclose(theta, rounded.double(), rtol=1e-6, atol=0)
    return theta


def make_exact(model):
    """The model in float64, for inference."""
    model = model.double().eval()
    model.set_attn_implementation("sdpa")
    for module in model.modules():
        if type(module).__name__.endswith("RMSNorm"):
            module.forward = lambda x, m=module: m.weight * (x * torch.rsqrt((x * x).mean(-1, keepdim=True) + m.variance_epsilon))
        if type(module).__name__.endswith("RotaryEmbedding"):
            theta = exact_frequencies(model.config, module.inv_freq)

            def angles(x, position_ids, theta=theta):
                angle = position_ids[:, :, None].double() * theta
                both = torch.cat([angle, angle], -1)
                return both.cos(), both.sin()

            module.forward = angles
    return model
