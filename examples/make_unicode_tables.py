"""Writes unicode_tables.hpp: how Hugging Face's BertNormalizer and BertPreTokenizer map each code point.

usage: python3 make_unicode_tables.py        (needs tokenizers; writes beside this script)

The tables come from the tokenizer that the models were trained with and not from Unicode's data, since the tokenizer takes the
categories of code points from an older version of Unicode than their lower case.
"""
import pathlib
import sys
import unicodedata

try:
    import tokenizers
    from tokenizers import normalizers, pre_tokenizers
except ImportError as error:
    sys.exit(f"make_unicode_tables.py: needs the Python package tokenizers ({error})")

WIDTH = 98
code_points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
normalize = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True).normalize_str
split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
becomes = {c: normalize(chr(c)) for c in code_points}
ideographs = {c for c, text in becomes.items() if len(text) > 1 and text[0] == " "}
becomes.update({c: becomes[c][1:-1] for c in ideographs})
hangul = range(0xAC00, 0xD7A4)  # decomposed by a formula


def ranges(points):
    found = []
    for c in points:
        if found and c == found[-1][1] + 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return [f"{{0x{first:X}, 0x{last:X}}}" for first, last in found]


def letter(char):
    """The character itself, or an escape where an editor would show it at another place or not at all."""
    if unicodedata.bidirectional(char) in ("R", "AL", "") or unicodedata.category(char)[0] in "MCZ":
        return f"\\u{ord(char):04X}" if ord(char) < 0x10000 else f"\\U{ord(char):08X}"
    return char


def columns(text):
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def literals(text):
    """U"…", in lines of at most WIDTH columns."""
    lines = [""]
    for char in map(letter, text):
        if columns(lines[-1] + char) > WIDTH - 15:
            lines.append("")
        lines[-1] += char
    return "\n     ".join(f'U"{line}"' for line in lines)


def runs():
    """Neighbors that become one other letter each, and the few between them that are unchanged."""
    changed = [c for c, text in becomes.items() if len(text) == 1 and text not in (" ", chr(c))]
    found = []
    for c in changed:
        gap = range(found[-1][0] + len(found[-1][1]), c) if found else None
        if gap is not None and len(gap) <= 8 and all(becomes[g] == chr(g) for g in gap):
            found[-1][1] += "".join(map(chr, gap)) + becomes[c]
        else:
            found.append([c, becomes[c]])
    return found


def array(kind, name, comment, entries):
    lines = [""]
    for entry in entries:
        if lines[-1] and ("\n" in entry or columns(lines[-1] + entry) + 4 > WIDTH):
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + entry + ","
    body = "\n".join("    " + line for line in lines)
    return f"/// {comment}\ninline constexpr {kind} {name}[] = {{\n{body}\n}};\n"


entries = lambda pairs: [f"{{0x{c:X}, {literals(text)}}}" for c, text in pairs]
parts = [
    array("CodePoints", "dropped", "Removed: accents after decomposition, control and format characters, private use.",
          ranges(c for c in code_points if becomes[c] == "")),
    array("CodePoints", "spaces", "Read as a space.", ranges(c for c in code_points if becomes[c] == " ")),
    array("CodePoints", "ideographs", "Each is a word: Chinese characters, in whichever language.", ranges(sorted(ideographs))),
    array("CodePoints", "punctuation", "Each is a word.", ranges(c for c in code_points if len(split(f"a{chr(c)}b")) == 3)),
    array("Letters", "letters", "Mapped one to one, as runs: {first code point, what it and those after it become}.", entries(runs())),
    array("Letters", "expansions", "Mapped one to several: {code point, what it becomes}.",
          entries((c, text) for c, text in becomes.items() if len(text) > 1 and c not in hangul)),
]
header = f"""#pragma once

#include <string_view>

// The code points that BERT's uncased tokenizer changes, to lower case and without accents. Written
// by make_unicode_tables.py with tokenizers {tokenizers.__version__}. Hangul syllables are left out, since a
// formula decomposes them.
// clang-format off

namespace unicode {{

struct CodePoints {{
  char32_t first, last;
}};

struct Letters {{
  char32_t first;
  std::u32string_view become;
}};

"""
pathlib.Path(__file__).with_name("unicode_tables.hpp").write_text(header + "\n".join(parts) + "\n}  // namespace unicode\n", encoding="utf-8")
