#include <gtest/gtest.h>
#include <attn/files/utf8.hpp>

#include <string>

namespace {

using attn::decode_utf8;
using attn::encode_utf8;
using attn::is_utf8;

TEST(Utf8, DecodesWhatItEncodesAtEveryLength) {
  EXPECT_EQ(decode_utf8("aé€😀"), U"aé€😀");
  for (char32_t point = 1; point < 0x110000; point += point < 0x3000 ? 1 : 37) {
    if (point >= 0xd800 && point <= 0xdfff) continue;
    const std::string text = encode_utf8(std::u32string(1, point));
    ASSERT_EQ(decode_utf8(text), std::u32string(1, point)) << std::uint32_t(point);
    ASSERT_TRUE(is_utf8(text)) << std::uint32_t(point);
  }
}

TEST(Utf8, MalformedBytesAreReplacedOneByOne) {
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

TEST(Utf8, IsTrueOfWellFormedTextAlone) {
  for (const char* text :
       {"", "plain", "aé€😀", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80"})
    EXPECT_TRUE(is_utf8(text)) << text;
  EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
  for (const char* text :
       {"\x80", "\xff", "a\xc3", "\xe2\x82", "\xe2\x82z", "\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80"})
    EXPECT_FALSE(is_utf8(text)) << text;
}

}  // namespace
