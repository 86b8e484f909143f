#include <gtest/gtest.h>
#include <attn/files/utf8.hpp>

#include <string>

namespace {

using attn::plot::decode_utf8;
using attn::plot::encode_utf8;

std::string ascii(std::string_view text) {
  std::string plain;
  for (const char32_t point : decode_utf8(text)) plain += attn::plot::to_ascii(point);
  return plain;
}

TEST(Utf8, DecodesEveryLengthAndBack) {
  EXPECT_EQ(decode_utf8("aé€😀"), U"aé€😀");
  for (char32_t point = 1; point < 0x110000; point += point < 0x3000 ? 1 : 37) {
    if (point >= 0xd800 && point <= 0xdfff) continue;
    ASSERT_EQ(decode_utf8(encode_utf8(std::u32string(1, point))), std::u32string(1, point))
        << std::uint32_t(point);
  }
}

TEST(Utf8, WhatIsNotUtf8IsReplacedAndNeverReadsOn) {
  EXPECT_EQ(decode_utf8("a\xff"
                        "b"),
            U"a\ufffdb");
  EXPECT_EQ(decode_utf8("\xc3"), U"\ufffd");  // cut short
  EXPECT_EQ(decode_utf8("\xe2\x82"), U"\ufffd\ufffd");
  EXPECT_EQ(decode_utf8("\xc0\xaf"), U"\ufffd\ufffd");  // overlong /
  EXPECT_EQ(decode_utf8("\xe0\x80\xaf"), U"\ufffd\ufffd\ufffd");
  EXPECT_EQ(decode_utf8("\xed\xa0\x80"), U"\ufffd\ufffd\ufffd");  // a surrogate
  EXPECT_EQ(decode_utf8("\xf4\x90\x80\x80").front(), U'\ufffd');  // beyond Unicode
  EXPECT_EQ(decode_utf8("\x80"), U"\ufffd");
  EXPECT_EQ(decode_utf8(""), U"");
}

TEST(Utf8, AccentsAndPunctuationHaveAnAsciiForm) {
  EXPECT_EQ(ascii("Ça va, naïve Æsir? Øl, Straße, Łódź, œuvre, fiancée, Þór, Ž"),
            "Ca va, naive AEsir? Ol, Strasse, Lodz, oeuvre, fiancee, Thor, Z");
  EXPECT_EQ(ascii("“it’s” – … −1 ▁the"), "\"it's\" - ... -1 _the");
  EXPECT_EQ(ascii("e\u0301"), "e");
  EXPECT_EQ(ascii("Ω中"), "??");
}

}  // namespace
