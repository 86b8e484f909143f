#include <gtest/gtest.h>
#include <attn/position/rotary.hpp>

#include <complex>
#include <limits>

#include "support/expect_error.hpp"
#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Rotary, attn::RotaryLayout, attn::Tensor;

constexpr RotaryLayout layouts[] = {RotaryLayout::half, RotaryLayout::interleaved};

/// (a + ib) · e^(i m θ), pair by pair, row by row, in double.
template <class T>
Tensor<double, 4> plain_rotary(const Tensor<T, 4>& x, const attn::RotaryOptions& options,
                               Index offset) {
  Tensor<double, 4> y(x.shape());
  const Index E = options.head_dim;
  for (Index b = 0; b < x.shape()[0]; ++b)
    for (Index h = 0; h < x.shape()[1]; ++h)
      for (Index l = 0; l < x.shape()[2]; ++l)
        for (Index i = 0; i < E / 2; ++i) {
          const bool half = options.layout == RotaryLayout::half;
          const Index first = half ? i : 2 * i, second = half ? i + E / 2 : 2 * i + 1;
          const double theta = 1 / std::pow(options.base, 2.0 * double(i) / double(E));
          const auto z =
              std::complex<double>(double(x(b, h, l, first)), double(x(b, h, l, second))) *
              std::polar(1.0, double(offset + l) * theta);
          y(b, h, l, first) = z.real();
          y(b, h, l, second) = z.imag();
        }
  return y;
}

double dot(const Tensor<double, 4>& a, Index i, const Tensor<double, 4>& b, Index j) {
  return a.matrix(0, 0).row(i).dot(b.matrix(0, 0).row(j));
}

template <class T>
class RotaryPosition : public testing::Test {
 protected:
  attn::Random random{21};
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(RotaryPosition, Scalars);

TYPED_TEST(RotaryPosition, IsAComplexProduct) {
  using T = TypeParam;
  for (const RotaryLayout layout : layouts)
    for (const double base : {10000.0, 500000.0, 0.5})
      for (const auto& [B, H, L, E] : std::vector<attn::Shape<4>>{
               {1, 1, 1, 2}, {2, 3, 5, 6}, {1, 2, 16, 8}, {2, 1, 37, 64}, {1, 1, 3, 20}})
        for (const Index offset : {Index(0), Index(1000), Index(-7)}) {
          const attn::RotaryOptions options{.head_dim = E, .base = base, .layout = layout};
          const auto x = normal<T, 4>(this->random, {B, H, L, E});
          // With base 0.5 the angles grow to some thousands, whose last digit is 1e-13.
          EXPECT_LT(largest_gap(Rotary(options)(x, offset), plain_rotary(x, options, offset)),
                    (std::is_same_v<T, double> ? 5e-12 : 1e-6));
        }
}

// Rounded to float, an angle of a million would be off by a thirtieth.
TYPED_TEST(RotaryPosition, IsAsExactFarAwayAsNearby) {
  using T = TypeParam;
  const attn::RotaryOptions options{.head_dim = 64};
  const auto x = normal<T, 4>(this->random, {1, 1, 20, 64});
  EXPECT_LT(largest_gap(Rotary(options)(x, 1'000'000), plain_rotary(x, options, 1'000'000)),
            (std::is_same_v<T, double> ? 2e-9 : 1e-6));
}

TYPED_TEST(RotaryPosition, OfAPartIsThatPartOfTheWhole) {
  using T = TypeParam;
  for (const RotaryLayout layout : layouts) {
    const Rotary rotary({.head_dim = 24, .layout = layout});
    const auto x = normal<T, 4>(this->random, {2, 3, 50, 24});
    const Tensor<T, 4> all = rotary(x, 4);
    for (const auto& [begin, end] : std::vector<std::pair<Index, Index>>{
             {0, 1}, {17, 18}, {49, 50}, {3, 40}, {16, 32}, {5, 5}})
      EXPECT_TRUE(
          same_bits(rotary(x.slice(2, begin, end), 4 + begin), all.slice(2, begin, end).copy()))
          << begin << " … " << end;
  }
}

TYPED_TEST(RotaryPosition, OfATensorGivenUpTakesPlaceInIt) {
  using T = TypeParam;
  for (const RotaryLayout layout : layouts) {
    const Rotary rotary({.head_dim = 40, .layout = layout});
    const auto x = normal<T, 4>(this->random, {2, 2, 19, 40});
    const Tensor<T, 4> there = rotary(x, 3), back = rotary.inverse(x, 3);
    Tensor<T, 4> y = x;
    const T* const memory = y.data();
    y = rotary(std::move(y), 3);
    EXPECT_EQ(y.data(), memory);
    EXPECT_TRUE(same_bits(y, there));
    y = x;
    const Tensor<T, 4> z = rotary.inverse(std::move(y), 3);
    EXPECT_EQ(z.data(), memory);
    EXPECT_TRUE(same_bits(z, back));
  }
}

TYPED_TEST(RotaryPosition, TakesTheHeadsOfAProjectionWhereTheyLie) {
  using T = TypeParam;
  const Index B = 2, L = 21, H = 3, E = 10;
  for (const RotaryLayout layout : layouts) {
    const Rotary rotary({.head_dim = E, .layout = layout});
    Tensor<T, 3> x = normal<T, 3>(this->random, {B, L, H * E});
    const attn::TensorView<T, 4> heads(x.data(), {B, H, L, E}, {L * H * E, E, H * E, 1});
    const Tensor<T, 3> before = x;
    const Tensor<T, 4> y = rotary(heads, 5);
    EXPECT_TRUE(same_bits(y, rotary(heads.copy(), 5)));
    EXPECT_TRUE(same_bits(x, before)) << "a view is read only";
    EXPECT_TRUE(same_bits(rotary(attn::TensorView<const T, 4>(heads), 5), y));
    // Without the batch, and without the heads.
    EXPECT_TRUE(same_bits(rotary(heads[1], 5), y[1].copy()));
    EXPECT_TRUE(same_bits(rotary(heads[1][2], 5), y[1][2].copy()));
    EXPECT_TRUE(same_bits(rotary(heads[1][2].copy(), 5), y[1][2].copy()));
  }
}

TYPED_TEST(RotaryPosition, IsBitwiseIdenticalForAnyNumberOfThreads) {
  using T = TypeParam;
  const Rotary rotary({.head_dim = 16});
  const auto x = normal<T, 4>(this->random, {2, 2, 333, 16});
  attn::set_num_threads(1);
  const Tensor<T, 4> one = rotary(x);
  for (const Index threads : {2, 3, 8}) {
    attn::set_num_threads(threads);
    EXPECT_TRUE(same_bits(rotary(x), one));
  }
  attn::set_executor(attn::Pool{});
}

// The inverse of a rotation is its transpose, so that the same function is the backward: ⟨R x, y⟩ =
// ⟨x, R⁻¹ y⟩.
TYPED_TEST(RotaryPosition, InverseUndoesAndIsTheTranspose) {
  using T = TypeParam;
  const double tolerance = std::is_same_v<T, double> ? 1e-14 : 2e-6;
  for (const RotaryLayout layout : layouts) {
    const Rotary rotary({.head_dim = 18, .layout = layout});
    const auto x = normal<T, 4>(this->random, {2, 2, 40, 18}),
               y = normal<T, 4>(this->random, {2, 2, 40, 18});
    EXPECT_LT(largest_gap(rotary.inverse(rotary(x, 11), 11), x), tolerance);
    EXPECT_LT(largest_gap(rotary(rotary.inverse(x, 11), 11), x), tolerance);
    EXPECT_GT(largest_gap(rotary.inverse(x, 11), x), 1);
    EXPECT_NEAR(double(rotary(x, 11).flat().dot(y.flat())),
                double(x.flat().dot(rotary.inverse(y, 11).flat())), 1e3 * tolerance);
  }
}

TEST(Rotary, ScoresDependOnTheDistanceAlone) {
  attn::Random random{22};
  const Index L = 12;
  for (const RotaryLayout layout : layouts) {
    const Rotary rotary({.head_dim = 32, .layout = layout});
    const auto q = normal<double, 4>(random, {1, 1, 1, 32}),
               k = normal<double, 4>(random, {1, 1, 1, 32});
    // The same query, and the same key, at every position.
    Tensor<double, 4> queries({1, 1, L, 32}), keys({1, 1, L, 32});
    queries.matrix(0, 0).rowwise() = q.matrix(0, 0).row(0);
    keys.matrix(0, 0).rowwise() = k.matrix(0, 0).row(0);
    const Tensor<double, 4> turned_queries = rotary(queries), turned_keys = rotary(keys);
    for (Index i = 0; i < L; ++i)
      for (Index j = 0; j < L; ++j) {
        const double score =
            i >= j ? dot(turned_queries, i - j, keys, 0)
                   : dot(queries, 0, turned_keys, j - i);  // q_{i−j} · k_0, or q_0 · k_{j−i}
        EXPECT_NEAR(dot(turned_queries, i, turned_keys, j), score, 1e-13) << i << ' ' << j;
        for (const Index shift : {1, 100, 5000})
          EXPECT_NEAR(dot(rotary(queries, shift), i, rotary(keys, shift), j), score, 1e-10)
              << shift;
      }
    EXPECT_GT(
        std::abs(dot(turned_queries, 3, turned_keys, 0) - dot(turned_queries, 0, turned_keys, 0)),
        0.1)
        << "and they do depend on it";
  }
}

TEST(Rotary, KeepsTheNormOfEveryRow) {
  attn::Random random{23};
  for (const RotaryLayout layout : layouts) {
    const auto x = normal<double, 3>(random, {3, 40, 14});
    const Tensor<double, 3> y = Rotary({.head_dim = 14, .layout = layout})(x, 77);
    EXPECT_LT((y.as_rows().rowwise().norm() - x.as_rows().rowwise().norm()).cwiseAbs().maxCoeff(),
              1e-14);
    EXPECT_GT(largest_gap(x, y), 1);
  }
}

TEST(Rotary, OfOneLayoutIsThatOfTheOtherInAnotherOrder) {
  attn::Random random{24};
  const Index E = 12;
  const auto x = normal<double, 2>(random, {9, E});
  const auto by_halves = [&](const Tensor<double, 2>& interleaved) {
    Tensor<double, 2> result(interleaved.shape());
    for (Index l = 0; l < result.shape()[0]; ++l)
      for (Index i = 0; i < E / 2; ++i) {
        result(l, i) = interleaved(l, 2 * i);
        result(l, i + E / 2) = interleaved(l, 2 * i + 1);
      }
    return result;
  };
  const Tensor<double, 2> interleaved =
      Rotary({.head_dim = E, .layout = RotaryLayout::interleaved})(x, 6);
  EXPECT_LT(largest_gap(Rotary({.head_dim = E, .layout = RotaryLayout::half})(by_halves(x), 6),
                        by_halves(interleaved)),
            1e-15);
}

// x · cos + rotate_half(x) · sin, as Hugging Face writes it, computed with forty digits.
TEST(Rotary, IsThatOfLlama) {
  const auto expect = [](std::vector<double> x, double base, Index position,
                         const std::vector<double>& expected) {
    const Index E = Index(x.size());
    const Tensor<double, 2> y =
        Rotary({.head_dim = E, .base = base})(attn::view(x.data(), {1, E}), position);
    for (Index i = 0; i < E; ++i)
      EXPECT_NEAR(y(0, i), expected[std::size_t(i)], 2e-12)
          << "position " << position << ", number " << i;
  };
  expect({1, 2, 3, 4}, 10000, 0, {1, 2, 3, 4});
  expect({1, 2, 3, 4}, 10000, 1,
         {-1.9841106485555498, 1.9599006674966639, 2.4623779024123157, 4.0197996683349944});
  expect({1, 2, 3, 4}, 10000, 4095,
         {2.9274876345728583, -1.5517542399017336, -1.1957492000511691, -4.1942888287464173});
  expect({1, 2, 3, 4, 5, 6}, 500000, 7,
         {-1.8740441405318517, 1.5518258522382798, 2.9933310648699807, 3.6725956160920076,
          5.1567273075396314, 6.0033298373556277});
}

TEST(Rotary, HasTheDefaultsOfMostModels) {
  const Rotary rotary({.head_dim = 8});
  EXPECT_EQ(rotary.options.base, 10000);
  EXPECT_EQ(rotary.options.layout, RotaryLayout::half);
}

TEST(Rotary, OfNothingIsNothing) {
  const Rotary rotary({.head_dim = 8});
  EXPECT_EQ(rotary(Tensor<float, 4>({2, 3, 0, 8})).shape(), (attn::Shape<4>{2, 3, 0, 8}));
  EXPECT_EQ(rotary(Tensor<float, 3>({0, 5, 8})).shape(), (attn::Shape<3>{0, 5, 8}));
}

TEST(RotaryErrors, NameWhatIsWrong) {
  const auto option = [](const attn::RotaryOptions& options) {
    return sentence_of<attn::OptionError>([&] { Rotary{options}; });
  };
  EXPECT_EQ(option({.head_dim = 7}), "Rotary: head_dim = 7 must be even and at least 2");
  EXPECT_EQ(option({.head_dim = 0}), "Rotary: head_dim = 0 must be even and at least 2");
  EXPECT_EQ(option({.head_dim = -4}), "Rotary: head_dim = -4 must be even and at least 2");
  EXPECT_EQ(option({.head_dim = 4, .base = 0}), "Rotary: base = 0 must be positive and finite");
  EXPECT_EQ(option({.head_dim = 4, .base = -3}), "Rotary: base = -3 must be positive and finite");
  EXPECT_EQ(option({.head_dim = 4, .base = std::numeric_limits<double>::infinity()}),
            "Rotary: base = inf must be positive and finite");
  EXPECT_EQ(option({.head_dim = 4, .base = std::numeric_limits<double>::quiet_NaN()}),
            "Rotary: base = nan must be positive and finite");
  const Rotary rotary({.head_dim = 64});
  Tensor<float, 4> x({2, 8, 16, 32});
  const std::string sentence =
      "Rotary: input (2, 8, 16, 32) must have head_dim = 64 on its last axis";
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { rotary(x); }), sentence);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { rotary.inverse(x.view()); }), sentence);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { rotary(std::move(x)); }), sentence);
  EXPECT_EQ(x.size(), 8192) << "what does not fit is left as it is";
}

}  // namespace
