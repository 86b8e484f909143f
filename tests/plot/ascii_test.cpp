#include <gtest/gtest.h>
#include <attn/files/utf8.hpp>
#include <attn/plot/ascii.hpp>

#include <string>

namespace {

std::string ascii(std::string_view text) {
  std::string plain;
  for (const char32_t point : attn::decode_utf8(text)) plain += attn::plot::detail::to_ascii(point);
  return plain;
}

TEST(Ascii, AccentsAndPunctuationHaveAnAsciiForm) {
  EXPECT_EQ(ascii("Ça va, naïve Æsir? Øl, Straße, Łódź, œuvre, fiancée, Þór, Ž"),
            "Ca va, naive AEsir? Ol, Strasse, Lodz, oeuvre, fiancee, Thor, Z");
  EXPECT_EQ(ascii("“it’s” – … −1 ▁the"), "\"it's\" - ... -1 _the");
  EXPECT_EQ(ascii("e\u0301"), "e");
  EXPECT_EQ(ascii("Ω中"), "??");
}

}  // namespace
