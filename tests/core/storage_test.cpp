// Numbers of 16 bits, every one of them, and integers with a scale.
#include <gtest/gtest.h>
#include <attn/core/quantized.hpp>

#include <bit>
#include <cmath>
#include <vector>

#include "support/tensors.hpp"

namespace {

using attn::bfloat16, attn::float16, attn::Index, attn::Tensor;

/// How IEEE 754 divides 16 bits: of an exponent, and of a mantissa.
struct Format {
  int exponent_bits, mantissa_bits;

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  int exponent(int bits) const { return bits >> mantissa_bits & ((1 << exponent_bits) - 1); }
  int mantissa(int bits) const { return bits & ((1 << mantissa_bits) - 1); }
  bool is_nan(int bits) const {
    return exponent(bits) == (1 << exponent_bits) - 1 && mantissa(bits) != 0;
  }
  /// The number that the bits stand for, by IEEE 754.
  double value(int bits) const {
    const double sign = bits & 0x8000 ? -1 : 1;
    const int e = exponent(bits);
    if (e == (1 << exponent_bits) - 1) return sign * std::numeric_limits<double>::infinity();
    const double fraction = std::ldexp(mantissa(bits), -mantissa_bits);
    return sign * std::ldexp(e == 0 ? fraction : 1 + fraction, std::max(e, 1) - bias());
  }
};
constexpr Format format_of_bfloat16{8, 7}, format_of_float16{5, 10};

template <class Stored>
int bits_of(Stored x) {
  return std::bit_cast<std::uint16_t>(x);
}
template <class Stored>
Stored from_bits(int bits) {
  return std::bit_cast<Stored>(static_cast<std::uint16_t>(bits));
}

template <class Stored>
void every_number_is_its_definition(const Format& format) {
  for (int bits = 0; bits < 65536; ++bits) {
    const float x = static_cast<float>(from_bits<Stored>(bits));
    if (format.is_nan(bits)) {
      EXPECT_TRUE(std::isnan(x) && std::isnan(static_cast<float>(Stored(x)))) << bits;
      continue;
    }
    EXPECT_EQ(std::bit_cast<std::uint32_t>(x),
              std::bit_cast<std::uint32_t>(static_cast<float>(format.value(bits))))
        << bits;
    EXPECT_EQ(bits_of(Stored(x)), bits) << x;
  }
}
TEST(Bfloat16, EveryNumberIsItsDefinition) {
  every_number_is_its_definition<bfloat16>(format_of_bfloat16);
}
TEST(Float16, EveryNumberIsItsDefinition) {
  every_number_is_its_definition<float16>(format_of_float16);
}

/// Between each number and the next: the middle goes to the even one, what is nearer to one of them
/// goes there.
template <class Stored>
void rounds_to_nearest_even(const Format& format) {
  const int infinity = ((1 << format.exponent_bits) - 1) << format.mantissa_bits;
  for (int bits = 0; bits + 1 < infinity; ++bits) {
    const float middle =
        static_cast<float>((format.value(bits) + format.value(bits + 1)) / 2);  // exact
    const int even = bits % 2 == 0 ? bits : bits + 1;
    EXPECT_EQ(bits_of(Stored(middle)), even) << middle;
    EXPECT_EQ(bits_of(Stored(-middle)), even | 0x8000) << middle;
    EXPECT_EQ(bits_of(Stored(std::nextafter(middle, 0.0F))), bits) << middle;
    EXPECT_EQ(bits_of(Stored(std::nextafter(middle, std::numeric_limits<float>::infinity()))),
              bits + 1)
        << middle;
  }
}
TEST(Bfloat16, RoundsToNearestEven) { rounds_to_nearest_even<bfloat16>(format_of_bfloat16); }
TEST(Float16, RoundsToNearestEven) { rounds_to_nearest_even<float16>(format_of_float16); }

TEST(Float16, BecomesInfinityFromTheMiddleAfterTheLargestOn) {
  EXPECT_EQ(bits_of(float16(65519.996F)), 0x7bff);
  EXPECT_EQ(bits_of(float16(65520.0F)), 0x7c00);
  EXPECT_EQ(bits_of(float16(-1e30F)), 0xfc00);
  EXPECT_EQ(bits_of(float16(std::ldexp(1.0F, -25))), 0);  // the middle of 0 and the smallest
  EXPECT_EQ(bits_of(float16(std::ldexp(1.5F, -25))), 1);
}

TEST(Cast, OfATensorOrAViewConvertsEachElement) {
  attn::Random random{1};
  const auto x = normal<float, 3>(random, {2, 5, 7});
  const auto part = attn::cast<bfloat16>(x.slice(1, 1, 4));
  EXPECT_EQ(part.shape(), (attn::Shape<3>{2, 3, 7}));
  for (Index i = 0; i < 3; ++i)
    EXPECT_EQ(bits_of(part(1, i, 6)), bits_of(bfloat16(x(1, i + 1, 6))));
  const Tensor<double, 3> back = attn::cast<double>(attn::cast<float16>(x));
  for (Index i = 0; i < x.size(); ++i)
    EXPECT_EQ(back.data()[i], double(float(float16(x.data()[i]))));
}

template <class T>
void rounds_by_half_a_scale_at_most() {
  attn::Random random{2};
  auto x = normal<T, 3>(random, {3, 4, 33});
  x(1, 2, 5) = 1000;
  const auto q = attn::quantize<std::int8_t>(x);
  const Tensor<T, 3> back = attn::dequantize(q);
  for (Index i = 0; i < 3; ++i)
    for (Index j = 0; j < 4; ++j) {
      T largest = 0;
      for (Index e = 0; e < 33; ++e) largest = std::max(largest, std::abs(x(i, j, e)));
      EXPECT_EQ(q.scales(i, j), largest / 127);
      for (Index e = 0; e < 33; ++e) {
        EXPECT_LE(std::abs(back(i, j, e) - x(i, j, e)), largest / 127 * T(0.5000001));
        EXPECT_EQ(back(i, j, e), q.scales(i, j) * T(q.codes(i, j, e)));
      }
    }
  EXPECT_EQ(q.codes(1, 2, 5), 127);
}
TEST(Quantize, RoundsByHalfAScaleAtMost) {
  rounds_by_half_a_scale_at_most<float>();
  rounds_by_half_a_scale_at_most<double>();
}

TEST(Quantize, OfZerosNaNAndTinyNumbers) {
  Tensor<float, 2> x({5, 3});
  x(1, 1) = std::numeric_limits<float>::quiet_NaN();
  x(2, 0) = -std::numeric_limits<float>::infinity();
  x(3, 2) = std::numeric_limits<float>::denorm_min();
  x(4, 1) = 190 * std::numeric_limits<float>::denorm_min();  // of which 127 scales are less
  const auto q = attn::quantize<std::int8_t>(x);
  const Tensor<float, 2> back = attn::dequantize(q);
  EXPECT_EQ(q.codes(4, 1), 127);
  for (Index e = 0; e < 3; ++e) {
    EXPECT_EQ(back(0, e), 0);
    EXPECT_TRUE(std::isnan(back(1, e)) && std::isnan(back(2, e)));
    EXPECT_EQ(back(3, e), 0);
  }
}

}  // namespace
