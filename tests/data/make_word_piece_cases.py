"""Writes word_piece_vocab.txt and word_piece_cases.json: what Hugging Face's tokenizer makes of texts of all kinds, for word_piece_test.cpp.

usage: python3 make_word_piece_cases.py        (needs tokenizers; writes beside this script)

"cases": text and its pieces, with spaces between them, of a small vocabulary made for this. "planes": for each plane of Unicode the
FNV-1a hash of the words of "a", a code point and "b", for every code point, in UTF-8 with a space after each word and a line feed after
each code point. Left out are "newer", ranges of code points of which Unicode has changed since the version that tokenizers has for BERT.
"""
import json
import pathlib
import string
import sys

try:
    from tokenizers import BertWordPieceTokenizer, normalizers, pre_tokenizers
except ImportError as error:
    sys.exit(f"make_word_piece_cases.py: needs the Python package tokenizers ({error})")

here = pathlib.Path(__file__).parent
sys.path.append(str(here.parent))
from against_tokenizers import BERT, LATER_CAPITALS  # noqa: E402
normalize = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True).normalize_str
split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str


texts = [
    # Words and pieces
    "", " ", "\t \n\r ", "the cat sat on the mat", "The CAT  sat\ton\nthe\r\nmat.", "unaffable", "unaffableq unaffing cats hatting",
    "embedding tokenization", "x" * 99, "x" * 100, "x" * 101, "é" * 100, "e\u0301" * 100, "the " + "a" * 101 + " cat", "hello" * 20, "Attention is all you need!",
    # More than 256
    "cat " * 254, "cat " * 255, "hello-world " * 100, "unaffable " * 85, "x" * 100 + " " + "y" * 100 + " " + "z" * 100,
    # Punctuation, digits, symbols
    string.printable, "hello,world;(the)cat's...", "a-b_c=d+e<f>g|h~i`j^k$l", "3.14 1,000 5% 2^10",
    "«the» „cat“ “sat” ‘on’ —the–mat… ¿a? ¡b! §1", "€5 £6 ±7° 2×3", "a।b،c؟d", "\u037e \u1fef \u2260 \u226e",
    # Accents, both forms, and what is not an accent
    "Café naïve Über piñata", "Cafe\u0301 nai\u0308ve U\u0308ber", "Z\u0351\u036b\u0343a\u0328l\u0300g\u0316o", "STRASSE Straße straẞe",
    "Łódź Øre Æther Þor İstanbul ılık I\u0307", "\u1e9b\u0323 \u1ec7 \u01d5 \u01c5 \u212b \u2126 \u212a",
    "\u0301 a\u0301\u0302\u0303 \u0301b", "ﬁne ﬀ ½ ² ™ ①",
    # Alphabets
    "Ελλάς ΣΟΦΌΣ σοφός", "Привет ЁЖИК й", "שָׁלוֹם \u05e9\u05b8\u05dc\u05d5\u05dd \ufb2a", "سَلامٌ \u0622\u0623 \u06c0",
    "नमस्ते \u0958 \u0929", "\u0e01\u0e33 \u0e33", "কো কৌ \u09cb", "こんにちは がぎぐ か\u3099", "カ゛ガ ｶﾞ", "\uac01 \u1100\u1161\u11a8 한국 안녕",
    "\uac00\uac01\ud7a3", "ＦＵＬＬ ｗｉｄｔｈ，ａ！", "𝐁old 𝒮cript 𐐀𐐨", "ᎠᏴ Ꭰ ꭰ", "ⅣⓐⒶ",
    # Ideographs
    "中文", "日本語の国", "a中b文c", "中文。「国」、・？！", "\uf900\uf901\uf902 豈更車", "\uf92d\ufa70\U0002f803 \U00020122",
    "\u3007 \u3400 \u4dbf \u4dc0 \u9fff \ua000 \U00020000 \U0002a6df \U0002a6e0 \U0002b820 \U0002b920 \U0002fa20",
    # Emoji
    "😀🎉 hello😀world", "👍🏽 ❤️ ❄︎ 👩\u200d👩\u200d👧 🏳️\u200d🌈 1️⃣", "🇩🇪🇫🇷",
    # Control and format characters, spaces of all kinds
    "a\x00b\x01c\x1fd\x7fe\x80f\x9fg", "a\x0bb\x0cc\x1cd\x85e", "the\u00a0cat\u2003sat\u3000on\u2028mat\u2029a\u1680b\u202fc\u205fd",
    "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg", "\u202ethe cat\u202c \u200fa\u200e \u061c", "a\ue000b\U000f0000c\U0010fffdd",
    "a\ufffdb \ufffd", "\u0378a \U000e0001b \U000e0041", "a\u180eb\ufff9c",
    # Special tokens in a text
    "[MASK]", "the [MASK] sat", "hello[SEP]world[CLS]", "[mask] [Mask] [MASK[MASK]]", "[UNK][PAD]x[PAD]", "a\u0301[MASK]\u0301b", "[unk] [",
    "]", "[CL", "##a ##ing # #",
]

# Every letter of the texts, as a beginning and as what follows, but some; and longer pieces.
known = sorted(set("".join(map(normalize, texts))) - set(" °™①𝒮𐐨🇩語"))
words = "the cat sat on mat un hello world cafe naive uber pizza straße ελλας σοφος привет שלום سلام こんにちは attention is all you need unused".split()
pieces = "##aff ##able ##ing ##s ##ed ##ding ##ization ##\u1161\u11a8 ##नि unu".split()
special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
vocabulary = list(dict.fromkeys(special + words + pieces + known + ["##" + letter for letter in known]))
(here / "word_piece_vocab.txt").write_text("".join(v + "\n" for v in vocabulary), encoding="utf-8")

tokenizer = BertWordPieceTokenizer(str(here / "word_piece_vocab.txt"), lowercase=True)
tokenizer.enable_truncation(256)
cases = [{"text": text, "pieces": " ".join(tokenizer.encode(text).tokens)} for text in texts]


def fnv1a(text, hash):
    for byte in text.encode():
        hash = (hash ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return hash


newer = BERT | LATER_CAPITALS
ranges = [[c, c] for c in sorted(newer) if c - 1 not in newer]
for pair in ranges:
    while pair[1] + 1 in newer:
        pair[1] += 1
planes = []
for plane in range(17):
    hash = 0xCBF29CE484222325
    for c in range(plane << 16, (plane + 1) << 16):
        if not 0xD800 <= c < 0xE000 and c not in newer:
            hash = fnv1a("".join(word + " " for word, _ in split(normalize(f"a{chr(c)}b"))) + "\n", hash)
    planes.append(f"{hash:016x}")

lines = ",\n".join("  " + json.dumps(case) for case in cases)
(here / "word_piece_cases.json").write_text(f'{{"cases": [\n{lines}\n],\n"newer": {json.dumps(ranges)},\n"planes": {json.dumps(planes)}}}\n')
print(f"{len(vocabulary)} pieces, {len(cases)} texts, {sum(c['pieces'].count('[UNK]') for c in cases)} unknown words")
