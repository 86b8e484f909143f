"""Writes what Hugging Face's models compute in PyTorch, in float64, for tests/nn/language_model_cases_test.cpp:
language_model_cases.safetensors, with entries NAME/… for each of some small models with random weights:

NAME/weights/…      the parameters, as `save_pretrained` names them
NAME/tokens         (B, L)
NAME/logits         (B, L, V)
NAME/loss           the mean cross-entropy of tokens 1 … L − 1 after those before them
NAME/gradients/…    of the loss
NAME/greedy         a prompt of 6 tokens of the first sequence, continued by 20 that are chosen greedily

usage: python3 make_language_model_cases.py        (needs torch, transformers and safetensors; writes beside this script)
"""
import pathlib
import sys

try:
    import torch
    from safetensors.torch import save_file
    from transformers import (GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config,
                              Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

    from exact_models import make_exact
except ImportError as error:
    sys.exit(f"make_language_model_cases.py: needs the Python packages torch, transformers and safetensors ({error})")

torch.manual_seed(1701)
torch.set_default_dtype(torch.float64)

sizes = dict(vocab_size=40, hidden_size=16, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=2, intermediate_size=24,
             max_position_embeddings=64, bos_token_id=None, eos_token_id=None, pad_token_id=None, attention_dropout=0.0)
llama3 = dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=16)
models = {
    "llama": LlamaForCausalLM(LlamaConfig(**sizes, tie_word_embeddings=True)),
    "llama_untied": LlamaForCausalLM(LlamaConfig(**{**sizes, "num_key_value_heads": 4}, tie_word_embeddings=False, rope_theta=500.0)),
    "llama_linear": LlamaForCausalLM(LlamaConfig(**sizes, tie_word_embeddings=True, rope_scaling=dict(rope_type="linear", factor=2.5))),
    "llama_3": LlamaForCausalLM(LlamaConfig(**sizes, tie_word_embeddings=True, rope_theta=100.0, rope_scaling=llama3)),
    "qwen2": Qwen2ForCausalLM(Qwen2Config(**sizes, tie_word_embeddings=True)),
    "qwen3": Qwen3ForCausalLM(Qwen3Config(**sizes, head_dim=8, tie_word_embeddings=True)),
    "mistral": MistralForCausalLM(MistralConfig(**sizes, sliding_window=5, tie_word_embeddings=False)),
    "gpt2": GPT2LMHeadModel(GPT2Config(vocab_size=40, n_embd=16, n_head=4, n_layer=2, n_inner=24, n_positions=64, bos_token_id=None,
                                       eos_token_id=None, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)),
}


entries = {}
for name, model in models.items():
    model = model.double()
    for parameter in model.parameters():  # larger than at the beginning of training, so that logits differ
        noise = torch.randn_like(parameter) * (0.3 if parameter.dim() > 1 else 0.1) + (1.0 if parameter.dim() == 1 else 0.0)
        parameter.data = noise.float().double()
    make_exact(model)
    tokens = torch.randint(0, 40, (2, 13))
    logits = model(tokens).logits
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, 40), tokens[:, 1:].reshape(-1))
    loss.backward()
    greedy = tokens[:1, :6]
    with torch.no_grad():
        for _ in range(20):
            greedy = torch.cat([greedy, model(greedy).logits[:, -1:].argmax(-1)], 1)
    entries[f"{name}/tokens"] = tokens
    entries[f"{name}/logits"] = logits.detach()
    entries[f"{name}/loss"] = loss.detach().reshape(1)
    entries[f"{name}/greedy"] = greedy[0]
    for parameter_name, parameter in model.named_parameters():  # each tied weight once
        entries[f"{name}/weights/{parameter_name}"] = parameter.detach().float()
        entries[f"{name}/gradients/{parameter_name}"] = parameter.grad

save_file({name: value.contiguous() for name, value in entries.items()}, pathlib.Path(__file__).parent / "language_model_cases.safetensors")
