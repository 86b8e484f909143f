#include <gtest/gtest.h>

#include <attn/io/names.hpp>

namespace {

TEST(Names, AreQuotedOnOneLine) {
  EXPECT_EQ(attn::in_quotes(""), "\"\"");
  EXPECT_EQ(attn::in_quotes("Wörter\n\t\x7f"), "\"Wörter???\"");
  EXPECT_EQ(attn::in_quotes(std::string(100, 'x')), "\"" + std::string(100, 'x') + "\"");
  EXPECT_EQ(attn::in_quotes(std::string(101, 'x')), "\"" + std::string(100, 'x') + "…\"");
}

TEST(Names, AreNotCutWithinACharacter) {
  EXPECT_EQ(attn::in_quotes(std::string(99, 'x') + "öö"), "\"" + std::string(99, 'x') + "…\"");
  EXPECT_EQ(attn::in_quotes(std::string(98, 'x') + "öö"), "\"" + std::string(98, 'x') + "ö…\"");
}

TEST(Names, EditDistancesAsPublished) {
  EXPECT_EQ(attn::detail::edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(attn::detail::edit_distance("saturday", "sunday"), 3u);
  EXPECT_EQ(attn::detail::edit_distance("", "abc"), 3u);
  EXPECT_EQ(attn::detail::edit_distance("abc", ""), 3u);
  EXPECT_EQ(attn::detail::edit_distance("abc", "abc"), 0u);
}

TEST(Names, TheClosestIsFoundUnlessAllAreFar) {
  const std::vector<std::string> names{"in_proj_bias", "in_proj_weight", "out_proj.weight"};
  EXPECT_EQ(attn::detail::closest("in_proj.weight", names), "in_proj_weight");
  EXPECT_EQ(attn::detail::closest("in_proj_weigth", names), "in_proj_weight");
  EXPECT_EQ(attn::detail::closest("embedding", names), "");
  EXPECT_EQ(attn::detail::closest("", names), "");
  EXPECT_EQ(attn::detail::closest("x", {}), "");
}

}  // namespace
