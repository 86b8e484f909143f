#include <gtest/gtest.h>

#include <attn/io/convert.hpp>
#include <limits>

namespace {

using attn::detail::convert;

/// The value of an IEEE 754 binary16 or a bfloat16, computed from sign, exponent and fraction.
double value_of(unsigned bits, int exponent_bits, int fraction_bits) {
  const unsigned fraction = bits & ((1u << fraction_bits) - 1),
                 exponent = (bits >> fraction_bits) & ((1u << exponent_bits) - 1);
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = bits >> 15 ? -1 : 1, part = std::ldexp(fraction, -fraction_bits);
  if (exponent == (1u << exponent_bits) - 1)
    return fraction ? std::numeric_limits<double>::quiet_NaN()
                    : sign * std::numeric_limits<double>::infinity();
  return sign * (exponent == 0 ? std::ldexp(part, 1 - bias)
                               : std::ldexp(1 + part, static_cast<int>(exponent) - bias));
}

template <class T>
T stored(unsigned bits) {
  const auto word = static_cast<std::uint16_t>(bits);
  return attn::detail::load_value<T>(reinterpret_cast<const std::byte*>(&word));
}

bool same(double a, double b) {
  return std::isnan(a) ? std::isnan(b) : a == b && std::signbit(a) == std::signbit(b);
}

TEST(Convert, EveryF16AndBF16IsItsValue) {
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const double half = value_of(bits, 5, 10), bfloat = value_of(bits, 8, 7);
    ASSERT_TRUE(same(convert<double>(stored<Eigen::half>(bits)).value(), half)) << bits;
    ASSERT_TRUE(same(static_cast<double>(convert<float>(stored<Eigen::half>(bits)).value()), half))
        << bits;
    ASSERT_TRUE(same(convert<double>(stored<Eigen::bfloat16>(bits)).value(), bfloat)) << bits;
    ASSERT_TRUE(
        same(static_cast<double>(convert<float>(stored<Eigen::bfloat16>(bits)).value()), bfloat))
        << bits;
  }
}

TEST(Convert, FloatingPointValuesAreRoundedButStayFinite) {
  EXPECT_EQ(convert<float>(1.0 / 3), 1.0f / 3);
  EXPECT_EQ(convert<float>(1e-300), 0.0f);
  EXPECT_EQ(convert<float>(1e300), std::nullopt);
  EXPECT_EQ(convert<float>(-1e39), std::nullopt);
  EXPECT_EQ(convert<float>(3.4028235e38), std::numeric_limits<float>::max());
  EXPECT_EQ(convert<float>(-std::numeric_limits<double>::infinity()),
            -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(convert<float>(std::numeric_limits<double>::quiet_NaN()).value()));
  EXPECT_EQ(convert<double>(0.1f), static_cast<double>(0.1f));
}

TEST(Convert, IntegersKeepTheirValueInFloatingPoint) {
  constexpr std::int64_t two53 = std::int64_t{1} << 53;
  EXPECT_EQ(convert<double>(two53), 9007199254740992.0);
  EXPECT_EQ(convert<double>(two53 + 1), std::nullopt);
  EXPECT_EQ(convert<double>(two53 + 2), 9007199254740994.0);
  EXPECT_EQ(convert<double>(-two53 - 1), std::nullopt);
  EXPECT_EQ(convert<double>(std::numeric_limits<std::int64_t>::max()), std::nullopt);
  EXPECT_EQ(convert<double>(std::numeric_limits<std::int64_t>::min()), -9223372036854775808.0);
  EXPECT_EQ(convert<float>(std::int32_t{16777216}), 16777216.0f);
  EXPECT_EQ(convert<float>(std::int32_t{16777217}), std::nullopt);
  EXPECT_EQ(convert<float>(std::numeric_limits<std::int32_t>::max()), std::nullopt);
  EXPECT_EQ(convert<float>(std::uint8_t{255}), 255.0f);
}

TEST(Convert, FloatingPointValuesBecomeIntegersOnlyWhereTheyAreIntegers) {
  EXPECT_EQ(convert<std::int64_t>(-3.0), -3);
  EXPECT_EQ(convert<std::int64_t>(2.5), std::nullopt);
  EXPECT_EQ(convert<std::int64_t>(-0.0), 0);
  EXPECT_EQ(convert<std::int64_t>(std::numeric_limits<double>::quiet_NaN()), std::nullopt);
  EXPECT_EQ(convert<std::int64_t>(std::numeric_limits<double>::infinity()), std::nullopt);
  EXPECT_EQ(convert<std::int64_t>(9223372036854775808.0), std::nullopt);
  EXPECT_EQ(convert<std::int64_t>(9223372036854774784.0), 9223372036854774784);
  EXPECT_EQ(convert<std::int64_t>(-9223372036854775808.0),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(convert<std::int8_t>(127.0f), 127);
  EXPECT_EQ(convert<std::int8_t>(128.0f), std::nullopt);
  EXPECT_EQ(convert<std::int8_t>(-128.0f), -128);
  EXPECT_EQ(convert<std::int8_t>(-129.0f), std::nullopt);
  EXPECT_EQ(convert<std::uint8_t>(-1.0f), std::nullopt);
  EXPECT_EQ(convert<std::uint8_t>(-0.5f), std::nullopt);
  EXPECT_EQ(convert<std::uint8_t>(255.0f), 255);
  EXPECT_EQ(convert<std::uint8_t>(256.0f), std::nullopt);
  EXPECT_EQ(convert<std::int32_t>(Eigen::half(7.0f)), 7);
  EXPECT_EQ(convert<std::int32_t>(Eigen::bfloat16(0.5f)), std::nullopt);
}

TEST(Convert, IntegersDoNotWrap) {
  EXPECT_EQ(convert<std::int8_t>(std::int64_t{127}), 127);
  EXPECT_EQ(convert<std::int8_t>(std::int64_t{128}), std::nullopt);
  EXPECT_EQ(convert<std::int8_t>(std::uint8_t{200}), std::nullopt);
  EXPECT_EQ(convert<std::uint8_t>(std::int8_t{-1}), std::nullopt);
  EXPECT_EQ(convert<std::uint64_t>(std::int64_t{-1}), std::nullopt);
  EXPECT_EQ(convert<std::int64_t>(std::int8_t{-1}), -1);
  EXPECT_EQ(convert<attn::Index>(std::int32_t{-5}), -5);
}

TEST(Convert, UnsignedIntegersKeepTheirValue) {
  constexpr std::uint64_t two63 = std::uint64_t{1} << 63;
  EXPECT_EQ(convert<std::int64_t>(two63 - 1), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(convert<std::int64_t>(two63), std::nullopt);
  EXPECT_EQ(convert<double>(two63), 0x1p63);
  EXPECT_EQ(convert<double>(two63 + 1), std::nullopt);
  EXPECT_EQ(convert<double>(std::numeric_limits<std::uint64_t>::max()), std::nullopt);
  EXPECT_EQ(convert<float>(std::numeric_limits<std::uint32_t>::max()), std::nullopt);
  EXPECT_EQ(convert<float>(std::uint16_t{65535}), 65535.0f);
  EXPECT_EQ(convert<std::int16_t>(std::uint16_t{32768}), std::nullopt);
  EXPECT_EQ(convert<std::uint32_t>(std::uint64_t{1} << 32), std::nullopt);
  EXPECT_EQ(convert<std::uint64_t>(0x1p64), std::nullopt);
  EXPECT_EQ(convert<std::uint64_t>(0x1p63), two63);
  EXPECT_EQ(convert<bool>(std::uint16_t{2}), std::nullopt);
  EXPECT_EQ(convert<bool>(std::uint32_t{1}), true);
}

TEST(Convert, ABoolIsAnyNonzeroU8AndOtherwiseZeroOrOne) {
  EXPECT_EQ(convert<bool>(std::uint8_t{0}), false);
  EXPECT_EQ(convert<bool>(std::uint8_t{1}), true);
  EXPECT_EQ(convert<bool>(std::uint8_t{200}), true);
  EXPECT_EQ(convert<bool>(std::int64_t{1}), true);
  EXPECT_EQ(convert<bool>(std::int64_t{2}), std::nullopt);
  EXPECT_EQ(convert<bool>(std::int64_t{-1}), std::nullopt);
  EXPECT_EQ(convert<bool>(-0.0), false);
  EXPECT_EQ(convert<bool>(1.0f), true);
  EXPECT_EQ(convert<bool>(0.5f), std::nullopt);
  EXPECT_EQ(convert<bool>(std::numeric_limits<double>::quiet_NaN()), std::nullopt);
  EXPECT_EQ(convert<double>(true), 1.0);
  EXPECT_EQ(convert<attn::Index>(true), 1);
  const std::byte two{2};
  EXPECT_EQ(attn::detail::load_value<bool>(&two), true);
}

TEST(Convert, NamesAndSizesOfTypes) {
  EXPECT_EQ(attn::to_string(attn::Dtype::bf16), "BF16");
  EXPECT_EQ(attn::detail::dtype_named("BOOL"), attn::Dtype::boolean);
  EXPECT_EQ(attn::detail::dtype_named("f32"), std::nullopt);
  EXPECT_EQ(attn::dtype_of<std::int64_t>, attn::Dtype::i64);
  EXPECT_EQ(attn::dtype_of<long long>, attn::Dtype::i64);
  EXPECT_EQ(attn::dtype_of<int>, attn::Dtype::i32);
  EXPECT_EQ(attn::dtype_of<unsigned>, attn::Dtype::u32);
  EXPECT_EQ(attn::dtype_of<std::uint64_t>, attn::Dtype::u64);
  EXPECT_EQ(attn::dtype_of<unsigned long long>, attn::Dtype::u64);
  static_assert(!attn::Storable<char> && !attn::Storable<wchar_t> && !attn::Storable<char16_t> &&
                !attn::Storable<long double>);
  const attn::Index sizes[] = {1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 8, 8, 8};
  for (std::size_t i = 0; i < attn::detail::dtype_names.size(); ++i) {
    EXPECT_EQ(attn::detail::size_of(static_cast<attn::Dtype>(i)), sizes[i]);
    attn::detail::with_type(static_cast<attn::Dtype>(i), [&]<class T>(T) {
      EXPECT_EQ(attn::to_string(attn::dtype_of<T>), attn::detail::dtype_names[i]);
    });
  }
}

}  // namespace
