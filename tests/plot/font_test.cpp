#include <gtest/gtest.h>
#include <attn/plot/font.hpp>

#include <cstdlib>
#include <fstream>
#include <numeric>
#include <random>

namespace {

using attn::plot::Font;
using attn::plot::detail::Bytes;
using attn::plot::detail::Coverage;
namespace fs = std::filesystem;

int ink(const Coverage& mask) {
  return std::accumulate(mask.values.begin(), mask.values.end(), 0) / 255;
}

fs::path any_font() {
  for (const fs::path& path : attn::plot::detail::usual_fonts())
    if (Font::load(path)) return path;
  return {};
}

struct Folder {
  fs::path path =
      fs::temp_directory_path() / ("attn_font_test_" + std::to_string(std::random_device{}()));
  Folder() { fs::create_directory(path); }
  ~Folder() { fs::remove_all(path); }
  fs::path file(const Bytes& bytes) const {
    std::ofstream(path / "font.ttf", std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    return path / "font.ttf";
  }
};

void check_letters(const Font& font) {
  for (const double size : {9.0, 11.5, 23.0, 40.0}) {
    for (const char* text :
         {"the", "jumpy gÄÅÊ|", "…", "a", "", " ", "\n\t", "\xff\xfe", "🙂中", "e\u0301", "~}`"}) {
      const Coverage mask = font.render(text, size);
      EXPECT_EQ(mask.width, font.width(text, size));
      EXPECT_EQ(mask.height, font.height(size));
    }
    EXPECT_GT(ink(font.render("the", size)), 5);
    EXPECT_EQ(ink(font.render("   ", size)), 0);
    EXPECT_GT(font.width("   ", size), 0);
    EXPECT_GT(font.width("wide", size), font.width("wid", size));
    EXPECT_EQ(font.width("", size), 0);
  }
}

TEST(Font, BuiltInLettersHaveTheirMeasuredSize) {
  const Font font = Font::built_in();
  EXPECT_TRUE(font.is_built_in());
  check_letters(font);
  EXPECT_GT(ink(font.render("é", 12)), 0);
  EXPECT_EQ(font.render("é", 12).values, font.render("e", 12).values);
  EXPECT_EQ(font.render("Ω", 12).values, font.render("?", 12).values);
  for (char letter = '!'; letter <= '~'; ++letter)
    EXPECT_GT(ink(font.render(std::string(1, letter), 12)), 0) << letter;
}

TEST(Font, BuiltInLettersAreNeverCut) {
  const Font font = Font::built_in();
  for (char letter = '!'; letter <= '~'; ++letter) {
    // 1 and 2 pixels to the dot.
    const Coverage one = font.render(std::string(1, letter), 12);
    const Coverage two = font.render(std::string(1, letter), 20);
    EXPECT_EQ(4 * ink(one), ink(two)) << letter;
    int rows = 0;
    for (int x = 0; x < one.width; ++x) rows += one.at(x, one.height - 1);
    EXPECT_EQ(rows, 0) << letter << " reaches the last row, so it may reach further";
  }
}

TEST(Font, TrueTypeIsAntiAliasedAndHasSeveralAlphabets) {
  const fs::path path = any_font();
  if (path.empty()) GTEST_SKIP() << "no TrueType font on this machine";
  const Font font = *Font::load(path);
  EXPECT_FALSE(font.is_built_in());
  check_letters(font);
  const Coverage mask = font.render("Sea", 24);
  EXPECT_GT(std::count_if(mask.values.begin(), mask.values.end(),
                          [](int v) { return v > 20 && v < 235; }),
            20);
  EXPECT_NE(font.render("é", 24).values, font.render("e", 24).values);
  EXPECT_NE(font.render("Ж", 24).values, font.render("Ω", 24).values);
  EXPECT_GT(ink(font.render("\U000F1234", 24)), 0) << "a missing letter shows as a box";
}

TEST(Font, ShortenKeepsTheBeginning) {
  for (const Font& font : {Font::built_in(), Font::system()}) {
    const std::string word = "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen";
    EXPECT_EQ(font.shorten(word, 12, 10000), word);
    const std::string brief = font.shorten(word, 12, 100);
    EXPECT_LE(font.width(brief, 12), 100);
    EXPECT_GT(font.width(brief, 12), 80);
    EXPECT_TRUE(brief.starts_with("Donau") && brief.ends_with("…")) << brief;
    EXPECT_EQ(font.shorten(word, 12, 0), "…");
    EXPECT_EQ(font.shorten("äöüäöüäöüäöü", 12, 40).find('\xff'), std::string::npos);
    EXPECT_EQ(attn::decode_utf8(font.shorten("äöüäöüäöüäöü", 12, 40)).find(U'\ufffd'),
              std::u32string::npos)
        << "cut inside a letter";
  }
}

TEST(Font, EnvironmentVariableChoosesTheFont) {
  const char* before = std::getenv("ATTN_FONT");
  const std::string kept = before ? before : "";
  setenv("ATTN_FONT", "none", 1);
  EXPECT_TRUE(Font::system().is_built_in());
  const fs::path path = any_font();
  setenv("ATTN_FONT", "/no/such/font.ttf", 1);
  EXPECT_EQ(Font::system().is_built_in(), path.empty())
      << "the usual fonts remain where that file does not exist";
  if (!path.empty()) {
    setenv("ATTN_FONT", path.c_str(), 1);
    EXPECT_FALSE(Font::system().is_built_in());
  }
  before ? setenv("ATTN_FONT", kept.c_str(), 1) : unsetenv("ATTN_FONT");
}

TEST(Font, FilesThatAreNotFontsAreRefused) {
  const Folder folder;
  EXPECT_FALSE(Font::load(folder.path / "missing.ttf"));
  EXPECT_FALSE(Font::load(folder.path));
  EXPECT_FALSE(Font::load(folder.file({})));
  EXPECT_FALSE(Font::load(folder.file({0, 1, 0, 0})));
  EXPECT_FALSE(Font::load(folder.file({0, 1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0})));
  EXPECT_FALSE(Font::load(folder.file(Bytes(5000, 0xff))));
  EXPECT_FALSE(Font::load(folder.file(Bytes(5000, 0))));
}

TEST(Font, DamagedFontsAreRefusedOrHarmless) {
  const fs::path path = any_font();
  if (path.empty()) GTEST_SKIP() << "no TrueType font on this machine";
  const Bytes whole = *attn::plot::detail::read_file(path);
  const Folder folder;
  std::mt19937 random(11);
  int refused = 0;
  for (int trial = 0; trial < 120; ++trial) {
    Bytes bytes = whole;
    if (trial % 3 == 0) bytes.resize(random() % whole.size());
    else if (trial % 3 == 1)
      bytes[random() % bytes.size()] ^= static_cast<std::uint8_t>(1u << random() % 8);
    else bytes[random() % 300] = static_cast<std::uint8_t>(random());  // the directory
    const std::optional<Font> font = Font::load(folder.file(bytes));
    refused += !font;
    if (font) font->render("Any text, naïve Ωж …", 20);
  }
  EXPECT_GT(refused, 60);
}

/// Sets the checksum of every table anew, so that only the structure shows the damage.
void sign(Bytes& font) {
  const attn::plot::detail::FontReader read{font};
  for (std::size_t record = 12; record < 12 + 16 * read.u16(4); record += 16) {
    const std::size_t offset = read.u32(record + 8), length = read.u32(record + 12);
    std::uint32_t sum = std::equal(font.begin() + static_cast<std::ptrdiff_t>(record),
                                   font.begin() + static_cast<std::ptrdiff_t>(record) + 4, "head")
                            ? 0u - read.u32(offset + 8)
                            : 0u;
    for (std::size_t i = 0; i < length; i += 4) sum += read.u32(offset + i);
    for (std::size_t i = 0; i < 4; ++i)
      font[record + 4 + i] = static_cast<std::uint8_t>(sum >> (24 - 8 * i));
  }
}

TEST(Font, DamageUnderGoodChecksumsIsRefusedOrHarmless) {
  const fs::path path = any_font();
  if (path.empty()) GTEST_SKIP() << "no TrueType font on this machine";
  const Bytes whole = *attn::plot::detail::read_file(path);
  const Folder folder;
  std::mt19937 random(3);
  int refused = 0, drawn = 0;
  for (int trial = 0; trial < 120; ++trial) {
    Bytes bytes = whole;
    const char* tags[] = {"cmap", "glyf", "head", "hhea", "hmtx", "loca", "maxp"};
    const auto table = attn::plot::detail::find_table(whole, tags[trial % 7]);
    bytes[table->offset +
          random() % std::min<std::size_t>(table->length, trial % 2 ? 200 : 20000)] =
        static_cast<std::uint8_t>(random());
    sign(bytes);
    const std::optional<Font> font = Font::load(folder.file(bytes));
    font ? ++drawn : ++refused;
    if (font) font->render("Any text, naïve Ωж … 0123456789 ABCDEFGHIJKLMNOP", 20);
  }
  EXPECT_GT(refused, 10);
  EXPECT_GT(drawn, 10);
}

TEST(Font, GlyphsOutsideOfTheirTableAreRefused) {
  const fs::path path = any_font();
  if (path.empty()) GTEST_SKIP() << "no TrueType font on this machine";
  const Bytes whole = *attn::plot::detail::read_file(path);
  ASSERT_TRUE(attn::plot::detail::is_sound_truetype(whole));
  const auto damaged = [&](const char* tag, std::size_t at, std::uint8_t value) {
    Bytes bytes = whole;
    const auto table = attn::plot::detail::find_table(whole, tag);
    bytes[table->offset + at] = value;
    sign(bytes);
    return bytes;
  };
  // The checksum field itself is not part of the checksum.
  EXPECT_TRUE(attn::plot::detail::is_sound_truetype(damaged("head", 8, 0x77)));
  EXPECT_FALSE(attn::plot::detail::is_sound_truetype(damaged("loca", 40, 0xf0)));
  EXPECT_FALSE(attn::plot::detail::is_sound_truetype(damaged("maxp", 4, 0xff)));
  EXPECT_FALSE(attn::plot::detail::is_sound_truetype(damaged("hhea", 34, 0xff)));
  EXPECT_FALSE(attn::plot::detail::is_sound_truetype(damaged("cmap", 8, 0x70)));
  EXPECT_FALSE(attn::plot::detail::is_sound_truetype(damaged("head", 50, 9)));
  EXPECT_FALSE(attn::plot::detail::is_sound_truetype(damaged("head", 18, 0xff)));
  EXPECT_FALSE(attn::plot::detail::is_sound_truetype(damaged("glyf", 0, 0x7f))) << "32512 contours";
  EXPECT_FALSE(attn::plot::detail::is_sound_truetype(damaged("glyf", 10, 0xff)))
      << "a contour that ends at a point which is not there";
}

}  // namespace
