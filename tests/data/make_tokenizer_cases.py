"""Writes tokenizers/*.json: small vocabularies, and what Hugging Face's tokenizers makes of texts of all kinds, for tests/text/.

usage: python3 make_tokenizer_cases.py        (needs tokenizers; writes beside this script)

The byte-level vocabularies are trained on the texts below and the project's guides, with the pre-tokenizers of GPT-2, SmolLM, Llama 3 and
Qwen2; two more have what these models do not use. cases.json holds the texts, and for each tokenizer their ids, the ids of those texts
that differ if special tokens are plain text, and the decoded texts that differ from the text. Bytes that are not UTF-8 are in
"broken": hexadecimal, and as Python replaces them.
"""
import json
import pathlib
import sys

try:
    import tokenizers
    from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
except ImportError as error:
    sys.exit(f"make_tokenizer_cases.py: needs the Python package tokenizers ({error})")

here = pathlib.Path(__file__).parent
out = here / "tokenizers"
out.mkdir(exist_ok=True)

texts = [
    # Words, spaces, line breaks
    "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\r\n\r\n", "\t", " \t ", "a", " a", "a ", " a ", "  a  ", "a  b", "a   b", "a\nb", "a\n\nb", "a \n b", "a\n  b",
    "a\r\nb", "a \r\n\r\n  b", "a\tb", "a\t\tb\n", "\n a", "\n\n  a", " \n", "\n ", "  \n  \n  ", "a\u00a0b", "a\u3000b", "a\u2028b\u2029c", "a\x85b",
    "a\x0b\x0cb", "\u2003\u2003a", "\u00a0\u00a0", "end with newline\n", "end with spaces   ", "The quick brown fox jumps over the lazy dog.",
    "the The THE tHe", "attention is all you need", "Attention is all you need!", "HelloWorld helloWorld HELLO_WORLD hello-world",
    # Contractions
    "it's", "It'S", "I'm you're he'd we'll they've don't", "I'M YOU'RE HE'D WE'LL THEY'VE DON'T", "'s", "''s", " 's", "'sa", "'tis", "rock'n'roll",
    "o'clock", "l'homme d'accord", "it\u2019s", "'\u017f", "a'\u017fb", "'l 'v 'r", "'ll'll", "'re'RE're", "\n's", "1's", "'", "''", "' s", "'re", "'LLama",
    # Digits
    "0", "1", "12", "123", "1234", "12345", "1234567890", "3.14159", "1,000,000", "2024-06-12", "12:30:45", "1st 2nd 3rd", "x1y22z333", "0x1F", "1e-9",
    "+49 (0)30 1234567", " 1 22 333 4444", "100%", "$5.99", "v0.2.0", "\u0661\u0662\u0663\u0664", "\u0967\u0968\u0969", "\u2460\u2461 \u00bd\u00be \u2163\u2162 x\u00b2",
    "\uff11\uff12\uff13", "\U0001d7d8\U0001d7d9\U0001d7da", "a1\u0661\u2460b", "\u4e00\u4e8c\u4e09 3", "H\u2082O",
    # Punctuation and code
    "!?", "...", "\u2026", "!!!\n", "?!\r\n\n", " !\n a", "(a)[b]{c}<d>", "a+b=c; d-=e;", "#include <attn/attn.hpp>\n\nint main() {\n  return 0;\n}\n",
    "def f(x):\n    return x ** 2  # square\n", "<html>\n\t<p class=\"x\">&amp;</p>\n</html>", "https://example.org/a/b?c=d&e=f#g", "me@example.org", "C:\\path\\file.txt",
    "`code` **bold** _it_", "a_b __c__", "\\n \\t", "|a|b|", "~^", "\u00ab\u00a0bonjour\u00a0\u00bb", "\u201equote\u201c \u2018q\u2019 \u2013 \u2014", "\u20ac5 \u00a36 \u00b17\u00b0 2\u00d73", "\u2192\u2200x\u2203y", "----------", "=====\n=====",
    "a.b.c", ".a", " .a", ". a", "\u00bfqu\u00e9? \u00a1s\u00ed!",
    # Latin with marks, composed and not
    "Caf\u00e9 na\u00efve \u00dcber pi\u00f1ata", "Cafe\u0301 nai\u0308ve U\u0308ber pin\u0303ata", "Stra\u00dfe STRASSE stra\u1e9ee", "\u0141\u00f3d\u017a \u00d8re \u00c6ther \u00deor", "\u0130stanbul \u0131l\u0131k I\u0307", "\u1ea1 a\u0323 \u1ec7 e\u0323\u0302 e\u0302\u0323",
    "Z\u0351\u036b\u0343a\u0328l\u0300g\u0316o", "\u0301", "\u0301a", " \u0301", "a\u0301\u0301\u0301", "\u212b \u2126 \u212a", "\ufb01ne \ufb00 \u2122 \u2460", "\u01c4 \u01c5 \u01c6", "q\u0307\u0323 q\u0323\u0307",
    # Other scripts
    "\u0395\u03bb\u03bb\u03ac\u03c2 \u03a3\u039f\u03a6\u038c\u03a3 \u03c3\u03bf\u03c6\u03cc\u03c2", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0401\u0416\u0418\u041a \u0439", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd", "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645", "\u0633\u064e\u0644\u0627\u0645\u064c \u0622\u0623",
    "\u0646\u06cc\u0645\u200c\u0641\u0627\u0635\u0644\u0647", "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e", "\u0915\u094d\u200d\u0937 \u0958 \u0929", "\u09ac\u09be\u0982\u09b2\u09be \u0995\u09cb \u0995\u09c7\u09be", "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd \u0bca \u0bc6\u0bbe", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01", "\u0e01\u0e33 \u0e33", "\u0ea5\u0eb2\u0ea7", "\u0f56\u0f7c\u0f51\u0f0b\u0f61\u0f72\u0f42", "\u1019\u103c\u1014\u103a\u1019\u102c",
    "\u1781\u17d2\u1798\u17c2\u179a", "\u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8", "\u0540\u0561\u0575\u0565\u0580\u0565\u0576", "\u12a0\u121b\u122d\u129b", "\u13e3\u13b3\u13a9", "\u4f60\u597d\uff0c\u4e16\u754c\uff01", "\u4e2d\u6587\u548cEnglish\u6df7\u5408123", "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3002", "\u3053\u3093\u306b\u3061\u306f \u30ab\u30bf\u30ab\u30ca \uff76\uff9e", "\u304b\u3099 \u304c",
    "\uc548\ub155\ud558\uc138\uc694 \uc138\uacc4", "\u1112\u1161\u11ab\u1100\u1173\u11af", "\uf900\uf901 \u8c48\u66f4", "\U00020000\U0002a6df", "\u0531\u10a0\u1c80\ua640", "\U00010400\U00010428", "\U0001e900\U0001e922", "\u16a0\u16a2\u16a6", "\U00012000\U00013000", "\U0001d400\U0001d4b3", "\uff21\uff42\uff43",
    # Emoji
    "\U0001f600", "hi \U0001f600!", "\U0001f44d\U0001f3fd \u2764\ufe0f \u2744\ufe0e", "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f3f3\ufe0f\u200d\U0001f308 1\ufe0f\u20e3", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "a\U0001f600b\U0001f600", "\U0001f9d1\U0001f3ff\u200d\U0001f52c", "\U0001f600\U0001f600\U0001f600",
    # Control and format characters, private use, noncharacters
    "\x00", "a\x00b", "\x01\x02\x03", "a\x1bb\x7fc\x80d\x9f", "\u200b\u200c\u200d\u2060\ufeff", "a\u00adb", "\u202eabc\u202c", "\ue000\U000f0000\U0010fffd", "\ufffe\uffff", "\ufffd", "a\ufffdb", "\u0378\U000e0041", "\u180e\ufff9", "\u061c\u200e\u200f",
    # Letters and numbers newer than Unicode 15.0
    "\U0002ebf0a \U00010d40\U00010d41 \ua7cd\U000105c0", "1\U00010d40", "a\U00011de0b", " \U0001ccf0", "\U00016d40\U00016d70",
    # Special tokens in odd places
    "<|endoftext|>", "<|endoftext|><|endoftext|>", "a<|endoftext|>b", "a <|endoftext|> b", " <|endoftext|>", "<|endoftext|>\n", "<|endoftext", "<|endoftext|", "|endoftext|>", "<<|endoftext|>>", "<|<|endoftext|>|>",
    "<|ENDOFTEXT|>", "<|end\u00e9oftext|>", "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n", "<|im_start|><|im_end|>", "<|im_start|>system\n<|im_start|>", "<|im_start|im_end|>", "word<|im_end|>word", "1<|im_end|>2", "\u00e9<|im_end|>\u0301",
    "<|im_end|>'s", "\n<|im_end|>\n\n", "<tool_call>{\"a\": 1}</tool_call>", "<tool_call", "</tool_call><tool_call>", "<|tool|>", "<|tool|>x", "<|to", "a[MASK]b", "a [MASK] b", "[MASK][MASK]", "  [MASK]  x", "x [left] y", "x   [left]   y", "[left][right]", "x [right]   y", "[right] [left]", "   [left]",
    "[right]   ", "whole whole.", "wholes a whole", "a-whole", "1whole whole1", "_whole whole_", "\u00e9whole whole\u0301", "whole", "CAFE\u0301 Cafe\u0301!", "cafe\u0301caf\u00e9", "\ufb01X [MASK] \ufb01x",
    # Repetition
    "a" * 300, "ab" * 150, " " * 300, "\n" * 100, " \n" * 60, "1" * 100, "!" * 200, "\u00e9" * 100, "\u4e2d" * 100, "\U0001f600" * 50, "na " * 100, "'s" * 50, "\u0301" * 40,
]
assert len(set(texts)) == len(texts) and len(texts) >= 200

broken = [b"\xff", b"a\xffb", b"\xc3", b"a\xc3", b"\xc3\xc3\xa9", b"\xe4\xb8", b"\xe4\xb8a", b"\xf0\x9f\x98", b"\xf0\x9f\x98x", b"\xf0\x9fx", b"\x80\x80", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
          b"\xf5\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"ok \xe2\x82\xac \xe2\x82", b"<|endo\xfftext|>", b"\xf8\x88\x80\x80\x80", b"\xe2\x82\xe2\x82\xac"]

gpt2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
llama = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
corpus = texts * 2 + [(here.parents[1] / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md")]


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def bytes_of(**options):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, **options)


def special(*contents):
    return [AddedToken(content, special=True, normalized=False) for content in contents]


def trained(pre_tokenizer, size, first, last=(), normalizer=None, complete=True):
    """A byte-level BPE; the tokens of `first` have the first ids, those of `last` the last ones."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet()) if complete else []
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(first), initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    for token in last:
        (tokenizer.add_special_tokens if token.special else tokenizer.add_tokens)([token])
    return tokenizer


def edited(tokenizer, edit):
    file = json.loads(tokenizer.to_str())
    edit(file)
    return tokenizers.Tokenizer.from_str(json.dumps(file))


def llama_model(file):
    """Tokens that no merges compose: ignore_merges alone finds them."""
    file["model"]["ignore_merges"] = True
    del file["model"]["merges"][100::7]


chat = special("<|endoftext|>", "<|im_start|>", "<|im_end|>")
made = {
    "gpt2": trained(bytes_of(), 1100, special("<|endoftext|>")),
    "smollm": trained(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), bytes_of()]), 900, chat, complete=False),
    "llama": edited(trained(pre_tokenizers.Sequence([split(llama % "{1,3}"), bytes_of(use_regex=False)]), 1000, [],
                            special("<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|im_end|>")), llama_model),
    "qwen2": trained(pre_tokenizers.Sequence([split(llama % ""), bytes_of(use_regex=False)]), 900, [],
                     [*chat, AddedToken("<tool_call>", normalized=False), AddedToken("</tool_call>", normalized=False)], normalizers.NFC()),
    "odd": trained(pre_tokenizers.ByteLevel(add_prefix_space=True), 500, [],
                   [AddedToken("[MASK]", special=True, normalized=False, lstrip=True), AddedToken("[left]", normalized=False, lstrip=True),
                    AddedToken("[right]", special=True, normalized=False, rstrip=True), AddedToken("whole", normalized=False, single_word=True),
                    AddedToken("Caf\u00e9", normalized=True), AddedToken("<|tool|>", normalized=False), AddedToken("<|tool|>x", normalized=False)],
                   normalizers.Sequence([normalizers.NFKD(), normalizers.Lowercase(), normalizers.NFKC()])),
    "runs": trained(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=False), split(gpt2), bytes_of(use_regex=False)]), 500, chat,
                    normalizer=normalizers.NFD(), complete=False),
}
begin = made["llama"].token_to_id("<|begin_of_text|>")
made["llama"].post_processor = processors.Sequence([
    processors.ByteLevel(trim_offsets=False),
    processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|> $B", special_tokens=[("<|begin_of_text|>", begin)])])
made["odd"].post_processor = processors.RobertaProcessing(("[right]", made["odd"].token_to_id("[right]")), ("[MASK]", made["odd"].token_to_id("[MASK]")))
made["runs"] = edited(made["runs"], lambda file: file["model"].update(unk_token="<|endoftext|>"))

for name, lowercase in [("bert", True), ("bert_cased", False)]:
    pieces = {line: i for i, line in enumerate((here / "word_piece_vocab.txt").read_text(encoding="utf-8").splitlines())}
    made[name] = tokenizers.Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    made[name].add_special_tokens(special("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))
    made[name].normalizer = normalizers.BertNormalizer(lowercase=lowercase, clean_text=lowercase)
    made[name].pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made[name].decoder = decoders.WordPiece()
    made[name].post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]",
                                                              special_tokens=[("[CLS]", pieces["[CLS]"]), ("[SEP]", pieces["[SEP]"])])

cases = {}
for name, tokenizer in made.items():
    (out / f"{name}.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    encode = lambda text, **options: tokenizer.encode(text, **options).ids
    ids = [encode(text) for text in texts]
    tokenizer.encode_special_tokens = True
    plain = {str(i): encode(text) for i, text in enumerate(texts) if encode(text) != ids[i]}
    tokenizer.encode_special_tokens = False
    decoded = {str(i): tokenizer.decode(ids[i]) for i, text in enumerate(texts) if tokenizer.decode(ids[i]) != text}
    cases[name] = {"ids": ids, "plain": plain, "decoded": decoded,
                   "bare": encode(texts[60], add_special_tokens=False),
                   "broken": [encode(data.decode(errors="replace")) for data in broken]}
    print(f"{name}: {tokenizer.get_vocab_size()} tokens, {sum(map(len, ids))} ids, {len(plain)} plain, {len(decoded)} decoded to another text")

line = lambda value: json.dumps(value, ensure_ascii=True, separators=(",", ":"))
parts = ",\n".join(line(name) + ":{" + ",\n".join(line(key) + ":" + line(value) for key, value in case.items()) + "}" for name, case in cases.items())
hexadecimal = [data.hex() for data in broken]
(out / "cases.json").write_text(f'{{"texts":[{(","+chr(10)).join(map(line, texts))}],\n"broken":{line(hexadecimal)},\n"tokenizers":{{{parts}}}}}\n')
print(f"{len(texts)} texts, {len(broken)} broken")
