// Stored numbers become floats in registers as they do one by one.
#include <gtest/gtest.h>
#include <attn/simd/widen.hpp>

#include <bit>
#include <vector>

namespace {

using attn::Index;

template <class Stored, class Bits>
void every_number(double scale) {
  constexpr int count = 1 << (8 * sizeof(Stored));
  std::vector<Stored> from;
  for (int bits = 0; bits < count; ++bits)
    from.push_back(std::bit_cast<Stored>(static_cast<Bits>(bits)));
  for (const Index n : {Index(count), Index(37), Index(3)}) {
    std::vector<float> floats(static_cast<std::size_t>(n) + 1, -7.0F);
    std::vector<double> doubles(static_cast<std::size_t>(n) + 1, -7.0);
    attn::detail::widen(from.data(), n, static_cast<float>(scale), floats.data());
    attn::detail::widen(from.data(), n, scale, doubles.data());
    for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
      const float x = static_cast<float>(from[i]);
      if (std::isnan(x)) {
        EXPECT_TRUE(std::isnan(floats[i]) && std::isnan(doubles[i])) << i;
      } else {
        EXPECT_EQ(std::bit_cast<std::uint32_t>(floats[i]),
                  std::bit_cast<std::uint32_t>(static_cast<float>(scale) * x))
            << i;
        EXPECT_EQ(doubles[i], scale * static_cast<double>(x)) << i;
      }
    }
    EXPECT_EQ(floats.back(), -7);
    EXPECT_EQ(doubles.back(), -7);
  }
}

TEST(Widen, IsTheConversionOfEveryBfloat16) { every_number<attn::bfloat16, std::uint16_t>(1); }
TEST(Widen, IsTheConversionOfEveryFloat16) { every_number<attn::float16, std::uint16_t>(1); }
TEST(Widen, IsTheConversionOfEveryInteger) { every_number<std::int8_t, std::uint8_t>(0.37); }

}  // namespace
