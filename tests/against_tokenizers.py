#!/usr/bin/env python3
"""Compares attn::Tokenizer with Hugging Face's tokenizers, id by id, on texts that are drawn anew, and on every code point.

usage: python3 tests/against_tokenizers.py --program build/test/tests/token_ids [--texts 50000] [--seed 1] [--no-code-points] [TOKENIZER_JSON...]
       (needs tokenizers; without a file it takes those of tests/data/tokenizers)

Each tokenizer encodes the drawn texts, with special tokens recognized and as plain text, and every code point by itself, between
letters, and between a space and a digit; it decodes its own ids. Where the two have data of different versions of Unicode, the code
points are named here, and kept from the texts of the tokenizers that they concern. Ends with 1 if anything differs.
"""
import argparse
import json
import pathlib
import random
import struct
import subprocess
import sys

try:
    import tokenizers
except ImportError as error:
    sys.exit(f"against_tokenizers.py: needs the Python package tokenizers ({error})")


def ranges(text):
    ends = (part.split("-") for part in text.split())
    return {c for end in ends for c in range(int(end[0], 16), int(end[-1], 16) + 1)}


# tokenizers 0.23.3 normalizes by Unicode 9, utf8proc 2.8 by 15.0. These marks, newer than 9, are reordered beside other marks, and
# U+11938 is decomposed, by utf8proc alone:
LATER_MARKS = ranges(
    "7FD 898-89F 8CA-8D3 9FE C3C D3B-D3C EBA 1715 1ABF-1ACE 1DF6-1DFA A82C 10D24-10D27 10EAB-10EAC 10EFD-10EFF 10F46-10F50"
    " 10F82-10F85 11070 1133B 1145E 11839-1183A 11938 1193D-1193E 11943 119E0 11A34 11A47 11A99 11D42 11D44-11D45 11D97 11F41-11F42"
    " 16FF0-16FF1 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF")
# These have a compatibility decomposition in utf8proc alone:
LATER_COMPATIBLE = ranges("32FF A7F2-A7F4 AB69 10781-10785 10787-107B0 107B2-107BA 1E030-1E06D 1F16C 1FBF0-1FBF9")
# These have a lower case in tokenizers alone, which has that of Unicode 17:
LATER_CAPITALS = ranges("1C89 A7CB-A7CC A7CE A7D2 A7D4 A7DA A7DC 10D50-10D65 16EA0-16EB8")
# For BERT these have another category, in tokenizers by Unicode 8 (they were not assigned yet, or have changed since), or decomposition.
BERT = ranges(
    "1734 11938 7FD 898-89F 8CA-8E2 9FE AFA-AFF B55 C04 C3C D00 D3B-D3C D81 EBA ECE 180F 1885-1886 1ABF-1ACE 1DF6-1DFB A82C A8C5 A8FF A9BD"
    " 10D24-10D27 10EAB-10EAC 10EFD-10EFF 10F46-10F50 10F82-10F85 11070 11073-11074 110C2 111C9 111CF 1123E 11241 1133B 11438-1143F"
    " 11442-11444 11446 1145E 1182F-11837 11839-1183A 1193B-1193C 1193E 11943 119D4-119D7 119DA-119DB 119E0 11A01-11A0A 11A33-11A38"
    " 11A3B-11A3E 11A47 11A51-11A56 11A59-11A5B 11A8A-11A96 11A98-11A99 11C30-11C36 11C38-11C3D 11C3F 11C92-11CA7 11CAA-11CB0"
    " 11CB2-11CB3 11CB5-11CB6 11D31-11D36 11D3A 11D3C-11D3D 11D3F-11D45 11D47 11D90-11D91 11D95 11D97 11EF3-11EF4 11F00-11F01"
    " 11F36-11F3A 11F40 11F42 13430-13440 13447-13455 16F4F 16FE4 1CF00-1CF2D 1CF30-1CF46 1E000-1E006 1E008-1E018 1E01B-1E021"
    " 1E023-1E024 1E026-1E02A 1E08F 1E130-1E136 1E2AE 1E2EC-1E2EF 1E4EC-1E4EF 1E944-1E94A 890-891 110CD 166D 61D 9FD A76 C77 C84"
    " 1B7D-1B7E 2E43-2E4F 2E52-2E5D 10EAD 10F55-10F59 10F86-10F89 1144B-1144F 1145A-1145B 1145D 11660-1166C 116B9 1183B 11944-11946"
    " 119E2 11A3F-11A46 11A9A-11A9C 11A9E-11AA2 11B00-11B09 11C41-11C45 11C70-11C71 11EF7-11EF8 11F43-11F4F 11FFF 12FF1-12FF2"
    " 16E97-16E9A 16FE2 1E95E-1E95F")


def kept_out(section):
    """The code points that differ under the normalizer of a tokenizer.json."""
    if section is None:
        return set()
    if section["type"] == "Sequence":
        return set().union(*map(kept_out, section["normalizers"]))
    if section["type"] == "BertNormalizer":
        return BERT | LATER_MARKS | LATER_CAPITALS
    if section["type"] == "Lowercase":
        return LATER_CAPITALS
    return LATER_MARKS | (LATER_COMPATIBLE if "K" in section["type"] else set())


ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
BLOCKS = [range(*block) for block in [
    (0x20, 0x7F), (0x00, 0x20), (0xA0, 0x250), (0x2B0, 0x370), (0x370, 0x530), (0x590, 0x780), (0x900, 0xE00), (0xE00, 0x1000),
    (0x1100, 0x1200), (0x1E00, 0x2070), (0x2070, 0x2200), (0x2460, 0x2500), (0x3000, 0x3100), (0x4E00, 0x4F00), (0xAC00, 0xAD00),
    (0xFB00, 0xFB50), (0xFE00, 0xFE10), (0xFF00, 0xFFF0), (0x1D400, 0x1D500), (0x1F1E6, 0x1F200), (0x1F300, 0x1F700)]]
PARTS = [
    " ", "  ", "\n", "\r\n", "\n\n", "\t", " \n", "\n ", "\u00a0", "\u3000", "\u2028", "\x85", "\x0b", "'s", "'S", "'t", "'re", "'VE", "'m", "'ll",
    "'lL", "'d", "'", "'\u017f", "''s", "\u2019s", "the", " the", "The", " of", "hello", "ing", "0", "1", "12", "345", "6789", "3.14", "1,000", "\u0661",
    "\u2460", "\u00bd", "\u2163", "!", "...", "?!", " -", "--", "_", "$", "<", "|", ">", "/", "\u0301", "\u0323", "\u200d", "\ufe0f", "\u00e9", "e\u0301",
    "\u212b", "\ufb01", "\u1100", "\u1161", "\u11a8", "\uac00", "\U0001f469\u200d\U0001f467", "\U0001f44d\U0001f3fd", "\ufffd", "\u0000", "int main() {",
    "    return", "\u4e2d\u6587", "\u65e5\u672c\u8a9e", "\u041f\u0440\u0438\u0432\u0435\u0442", "\u0645\u0631\u062d\u0628\u0627", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35"]


def draw(source, special):
    parts = []
    for _ in range(source.choice([1, 2, 3, 5, 8, 13, 30])):
        kind = source.random()
        if kind < 0.5:
            parts.append(source.choice(PARTS))
        elif kind < 0.6 and special:
            token = source.choice(special)
            cut = source.choice([0, 0, 0, 1, len(token) - 1])
            parts.append(token[cut:] if source.random() < 0.5 else token[:len(token) - cut])
        elif kind < 0.9:
            block = source.choice(BLOCKS)
            parts.append("".join(chr(source.choice(block)) for _ in range(source.randint(1, 6))))
        elif kind < 0.95:
            parts.append(chr(source.choice(ALL)))
        else:
            parts.append(source.choice(PARTS) * source.randint(2, 40))
    return "".join(parts)


def packed(records):
    return b"".join(struct.pack("<I", len(record)) + record for record in records)


def unpacked(data):
    at = 0
    while at < len(data):
        (count,) = struct.unpack_from("<I", data, at)
        yield data[at + 4:at + 4 + count]
        at += 4 + count


def differences(program, path, texts, ways):
    """Yields what differs: the way, the text, and both results."""
    reference = tokenizers.Tokenizer.from_file(str(path))
    reference.no_padding()
    reference.no_truncation()
    for way in ways:
        reference.encode_special_tokens = way == "plain"
        run = subprocess.run([program, str(path), way], input=packed(t.encode() for t in texts), stdout=subprocess.PIPE, check=True)
        results = unpacked(run.stdout)
        expected = [e.ids for start in range(0, len(texts), 10000) for e in reference.encode_batch(texts[start:start + 10000])]
        for text, ids, decoded, truth in zip(texts, results, results, expected):
            ids = list(struct.unpack(f"<{len(ids) // 4}I", ids))
            if ids != truth:
                yield way, text, ids, truth
            elif decoded.decode() != reference.decode(truth, skip_special_tokens=way == "plain"):
                yield "decode " + way, text, decoded.decode(), reference.decode(truth, skip_special_tokens=way == "plain")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--program", required=True)
    options.add_argument("--texts", type=int, default=50000)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--no-code-points", action="store_true")
    options.add_argument("files", nargs="*", type=pathlib.Path)
    options = options.parse_args()
    here = pathlib.Path(__file__).parent / "data" / "tokenizers"
    found = 0
    for path in options.files or sorted(p for p in here.glob("*.json") if p.name != "cases.json"):
        file = json.loads(path.read_text(encoding="utf-8"))
        out = {chr(c) for c in kept_out(file["normalizer"])}
        special = [token["content"] for token in file["added_tokens"]]
        source = random.Random(options.seed)
        drawn = [draw(source, special) for _ in range(options.texts)]
        points = [form.format(chr(c)) for c in ([] if options.no_code_points else ALL) for form in ("{}", "a{}b", " {}1")]
        count = left_out = 0
        for texts, ways in [(drawn, ["special", "plain"]), (points, ["special"])]:
            kept = [text for text in texts if out.isdisjoint(text)]
            left_out += len(texts) - len(kept)
            for way, text, ours, theirs in differences(options.program, path, kept, ways):
                count += 1
                if count <= 5:
                    print(f"{path.name}, {way}: {ascii(text)}\n  attn       {ours}\n  tokenizers {theirs}")
        print(f"{path.name}: {len(drawn)} drawn texts, {len(points)} of one code point, {left_out} left out for Unicode's version,"
              f" {count} differences", flush=True)
        found += count
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
