#include <gtest/gtest.h>
#include <attn/position/sinusoidal.hpp>

#include "support/expect_error.hpp"
#include "support/plain_attention.hpp"

namespace {

using attn::Index;

TEST(Sinusoidal, IsTheFormula) {
  const Index length = 50, d_model = 16;
  const attn::Tensor<double, 2> encoding = attn::sinusoidal<double>(length, d_model);
  for (Index pos = 0; pos < length; ++pos)
    for (Index i = 0; i < d_model / 2; ++i) {
      const double angle = double(pos) / std::pow(10000.0, 2.0 * double(i) / double(d_model));
      EXPECT_NEAR(encoding(pos, 2 * i), std::sin(angle), 1e-14);
      EXPECT_NEAR(encoding(pos, 2 * i + 1), std::cos(angle), 1e-14);
    }
  EXPECT_LT(largest_gap(attn::sinusoidal<float>(length, d_model), encoding), 6e-8);
}

// "For any fixed offset k, PE(pos + k) can be represented as a linear function of PE(pos)": a
// rotation in each pair of columns.
TEST(Sinusoidal, AShiftIsARotation) {
  const Index d_model = 12, k = 7;
  const attn::Tensor<double, 2> here = attn::sinusoidal<double>(40, d_model),
                                there = attn::sinusoidal<double>(40, d_model, k);
  for (Index i = 0; i < d_model; i += 2) {
    const double w = 1 / std::pow(10000.0, double(i) / double(d_model)),
                 c = std::cos(double(k) * w), s = std::sin(double(k) * w);
    for (Index pos = 0; pos < 40; ++pos) {
      EXPECT_NEAR(there(pos, i), c * here(pos, i) + s * here(pos, i + 1), 1e-13);
      EXPECT_NEAR(there(pos, i + 1), c * here(pos, i + 1) - s * here(pos, i), 1e-13);
    }
  }
}

TEST(Sinusoidal, TakesOddWidthsAndRefusesNone) {
  const attn::Tensor<double, 2> odd = attn::sinusoidal<double>(3, 5);
  EXPECT_NEAR(odd(2, 4), std::sin(2 / std::pow(10000.0, 0.8)), 1e-15);
  EXPECT_EQ(attn::sinusoidal<float>(0, 4).size(), 0);
  EXPECT_EQ(sentence_of<attn::OptionError>([] { attn::sinusoidal<float>(3, 0); }),
            "sinusoidal: d_model = 0 must be at least 1");
  EXPECT_THROW(attn::sinusoidal<float>(-1, 4), attn::ShapeError);
}

}  // namespace
