"""Writes language_models/: small models with random weights, as published models come, and what they compute in float64.

NAME/                         by save_pretrained of transformers: config.json, and the weights, in one file or several
NAME.gguf                     the same in GGUF, with the names and the order of rows and columns of llama.cpp's convert_hf_to_gguf.py
expected/NAME.safetensors     tokens (1, L) and their logits (1, L, V)
expected/NAME.gguf.safetensors

usage: python3 make_language_model_folders.py        (needs torch, transformers 4, accelerate, gguf and safetensors; writes beside this script)

With transformers 5 it writes the models alone whose names end with _5, and no GGUF files. Where transformers can read a GGUF file, the
script checks that it computes the same logits. Numbers that GGUF holds in float32 are exact in it.
"""
import pathlib
import shutil
import sys

try:
    import gguf
    import torch
    import transformers
    from safetensors.torch import save_file
    from transformers import (AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM,
                              Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

    from exact_models import make_exact
except ImportError as error:
    sys.exit(f"make_language_model_folders.py: needs the Python packages torch, transformers, gguf and safetensors ({error})")

here = pathlib.Path(__file__).parent / "language_models"
(here / "expected").mkdir(parents=True, exist_ok=True)
is_newer = int(transformers.__version__.split(".")[0]) >= 5
vocabulary, eps = 40, 2.0**-17

sizes = dict(vocab_size=vocabulary, hidden_size=16, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=1, intermediate_size=12,
             max_position_embeddings=64, rms_norm_eps=eps, bos_token_id=None, eos_token_id=None, pad_token_id=None)
large = {**sizes, "hidden_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 32}
llama_3 = dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
linear = dict(rope_type="linear", factor=2.5)


def rope(theta, **scaling):
    """The options of rotary positions, as this version of transformers takes them."""
    if is_newer:
        return dict(rope_parameters=dict(rope_theta=theta, **(scaling or dict(rope_type="default"))))
    return dict(rope_theta=theta, **(dict(rope_scaling=scaling) if scaling else {}))


def gpt2():
    return GPT2LMHeadModel(GPT2Config(vocab_size=vocabulary, n_embd=16, n_head=4, n_layer=1, n_positions=32, layer_norm_epsilon=eps,
                                      bos_token_id=None, eos_token_id=None))


# How each is made, and how it is saved.
models = {
    "llama": (lambda: LlamaForCausalLM(LlamaConfig(**{**sizes, "num_hidden_layers": 2}, tie_word_embeddings=True)), {}),
    "llama_sharded": (lambda: LlamaForCausalLM(LlamaConfig(**{**sizes, "num_key_value_heads": 4}, **rope(500.0))), dict(max_shard_size="6KB")),
    "llama_3": (lambda: LlamaForCausalLM(LlamaConfig(**sizes, **rope(100.0, **llama_3), tie_word_embeddings=True)), {}),
    "llama_linear": (lambda: LlamaForCausalLM(LlamaConfig(**sizes, **rope(10000.0, **linear), head_dim=8)), {}),
    "llama_q8_0": (lambda: LlamaForCausalLM(LlamaConfig(**large, tie_word_embeddings=True)), {}),
    "qwen2": (lambda: Qwen2ForCausalLM(Qwen2Config(**sizes, **rope(1e6), tie_word_embeddings=True)), {}),
    "qwen3": (lambda: Qwen3ForCausalLM(Qwen3Config(**sizes, head_dim=8)), dict(dtype=torch.float16)),
    "mistral": (lambda: MistralForCausalLM(MistralConfig(**sizes, sliding_window=5)), dict(dtype=torch.bfloat16)),
    "gpt2": (gpt2, {}),
}
tokens = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6, 39, 35, 8]])
q8_0 = gguf.GGMLQuantizationType.Q8_0


def name_of(tensor, model):
    """A tensor's name in GGUF."""
    architecture = {"llama": "LLAMA", "qwen2": "QWEN2", "qwen3": "QWEN3", "gpt2": "GPT2"}[model.config.model_type]
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture], model.config.num_hidden_layers)
    return names.get_name(tensor, try_suffixes=(".weight", ".bias"))


def as_llama_cpp(tensor, name, config):
    """The rows and columns in llama.cpp's order."""
    if config.model_type == "gpt2" and tensor.dim() == 2 and ".h." in name:
        return tensor.T
    for projection, heads in (("q_proj", config.num_attention_heads), ("k_proj", getattr(config, "num_key_value_heads", None))):
        if config.model_type == "llama" and projection in name:
            return tensor.reshape(heads, 2, tensor.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(tensor.shape)
    return tensor


def write_metadata(writer, config):
    writer.add_vocab_size(vocabulary)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    if config.model_type == "gpt2":
        writer.add_feed_forward_length(4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_theta)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    if config.model_type == "llama":
        writer.add_rope_dimension_count(head_dim)
    if head_dim != config.hidden_size // config.num_attention_heads:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    if (config.rope_scaling or {}).get("rope_type") == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(config.rope_scaling["factor"])


def frequency_divisors(config):
    """Llama 3's scaling as llama.cpp has it, in float32: the frequency without it over the frequency with it."""
    scaled, _ = transformers.modeling_rope_utils.ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")
    return (plain_frequencies(config) / scaled).float()


def plain_frequencies(config):
    head_dim = config.hidden_size // config.num_attention_heads
    return config.rope_theta ** (-torch.arange(0, head_dim, 2).double() / head_dim)


def write_gguf(model, name):
    writer = gguf.GGUFWriter(here / f"{name}.gguf", model.config.model_type)
    write_metadata(writer, model.config)
    for tensor_name, tensor in model.state_dict().items():
        if tensor_name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        values = as_llama_cpp(tensor, tensor_name, model.config).float().contiguous().numpy()
        if name == "llama_q8_0" and tensor.dim() == 2:
            writer.add_tensor(name_of(tensor_name, model), gguf.quants.quantize(values, q8_0), raw_dtype=q8_0)
        else:
            writer.add_tensor(name_of(tensor_name, model), values)
    if (getattr(model.config, "rope_scaling", None) or {}).get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", frequency_divisors(model.config).numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_expected(name, tokens, logits):
    save_file(dict(tokens=tokens, logits=logits), here / "expected" / f"{name}.safetensors")


def use_divisors(model):
    """Rotary positions by the divisors of a GGUF file, which are rounded to float32."""
    theta = plain_frequencies(model.config) / frequency_divisors(model.config).double()

    def angles(x, position_ids):
        angle = (position_ids[:, :, None].double() * theta).repeat(1, 1, 2)
        return angle.cos(), angle.sin()

    model.model.rotary_emb.forward = angles


def quantize(model):
    """Rounds the matrices to what Q8_0 holds."""
    for tensor in model.parameters():
        if tensor.dim() == 2:
            tensor.data = torch.from_numpy(gguf.quants.dequantize(gguf.quants.quantize(tensor.numpy(), q8_0), q8_0))


def make(name):
    model = models[name.removesuffix("_5")][0]()
    torch.manual_seed(sum(map(ord, name)))
    for parameter in model.parameters():  # larger than at the beginning of training, so that logits differ
        parameter.data = torch.randn_like(parameter) * (0.3 if parameter.dim() > 1 else 0.1) + (1.0 if parameter.dim() == 1 else 0.0)
    if name == "llama_q8_0":
        quantize(model)
    for parameter in model.parameters():  # not the buffers, which are rounded when they are computed
        parameter.data = parameter.to(models[name.removesuffix("_5")][1].get("dtype", torch.float32))
    return model


@torch.no_grad()
def write_folder(name):
    model = make(name)
    shutil.rmtree(here / name, ignore_errors=True)
    shard = models[name.removesuffix("_5")][1].get("max_shard_size", "1GB")
    model.save_pretrained(here / name, max_shard_size=shard)
    write_expected(name, tokens, make_exact(model)(tokens).logits)


@torch.no_grad()
def write_gguf_file(name):
    model = make(name)
    write_gguf(model, name)
    model = make_exact(model)
    if name == "llama_3":
        use_divisors(model)
    logits = model(tokens).logits
    write_expected(f"{name}.gguf", tokens, logits)
    if name not in ("llama_3", "llama_linear"):  # transformers does not read the scaling from GGUF
        # transformers does not read the vocabulary of gpt2 and the head dimension of qwen3.
        config = model.config if name in ("gpt2", "qwen3") else None
        again = make_exact(AutoModelForCausalLM.from_pretrained(here, gguf_file=f"{name}.gguf", config=config))
        assert torch.allclose(again(tokens).logits, logits, rtol=0, atol=1e-11), f"{name}: transformers reads something else from its GGUF file"
        print(f"{name}.gguf: transformers reads the same")


if is_newer:
    for name in ("llama_3", "qwen2", "mistral"):
        write_folder(name + "_5")
else:
    for name in models:
        if name != "llama_q8_0":
            write_folder(name)
        if name not in ("llama_sharded", "mistral"):
            write_gguf_file(name)
