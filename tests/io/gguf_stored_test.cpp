// Weights of GGUF files as products keep them, against the values that the file gives.
#include <gtest/gtest.h>
#include <attn/io/gguf_stored.hpp>

#include <filesystem>

namespace {

using attn::Index;

attn::Gguf types() {
  return attn::load_gguf(std::filesystem::path(ATTN_TESTS_DATA) / "gguf_types.gguf");
}

TEST(GgufStored, BlocksOfEveryTypeStandForTheirValues) {
  const attn::Gguf file = types();
  for (const std::string type :
       {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"}) {
    const auto stored =
        attn::detail::GgufStoredRows(file, type).read([](Index r) { return (r + 3) % 5; });
    ASSERT_TRUE(stored) << type;
    const auto values = file.get<float, 2>(type);
    ASSERT_EQ(values.shape(), (attn::Shape<2>{stored->rows(), stored->columns()}));
    for (Index r = 0; r < stored->rows(); ++r)
      for (Index k = 0; k < stored->columns(); ++k) {
        const float got = (*stored)((r + 3) % 5, k), wanted = values(r, k);
        ASSERT_TRUE(got == wanted || (std::isnan(got) && std::isnan(wanted)))
            << type << " " << r << " " << k << ": " << got << " instead of " << wanted;
      }
    const bool four_bits = type[1] < '5';
    EXPECT_EQ(stored->format().storage, four_bits ? attn::Storage::int4 : attn::Storage::int8);
  }
}

}  // namespace
