#include <gtest/gtest.h>
#include <attn/nn/layer_norm.hpp>
#include <attn/nn/rms_norm.hpp>

#include "support/expect_error.hpp"
#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;

template <class T>
class Norms : public testing::Test {
 protected:
  attn::Random random{41};
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Norms, Scalars);

template <class T, int N>
Tensor<T, N> layer_norm(const Tensor<T, N>& x, const Tensor<T, 1>& w,
                        const std::type_identity_t<std::optional<attn::TensorView<const T, 1>>>& b,
                        double eps) {
  return attn::LayerNormalization{eps}.forward(x, w, b);
}
template <class T, int N>
Tensor<T, N> rms_norm(const Tensor<T, N>& x, const Tensor<T, 1>& w, double eps) {
  return attn::RmsNormalization{eps}.forward(x, w);
}

/// Both formulas in plain loops and long double.
template <class T>
Tensor<double, 3> plain_norm(const Tensor<T, 3>& x, const Tensor<T, 1>& w, const Tensor<T, 1>* b,
                             double eps, bool centred) {
  using Wide = long double;
  const Index D = x.shape()[2];
  Tensor<double, 3> y(x.shape());
  for (Index r = 0; r < x.size(); r += D) {
    const auto at = [&](Index d) { return static_cast<Wide>(x.data()[r + d]); };
    Wide mean = 0, squares = 0;
    for (Index d = 0; d < D && centred; ++d) mean += at(d) / static_cast<Wide>(D);
    for (Index d = 0; d < D; ++d) squares += (at(d) - mean) * (at(d) - mean);
    const Wide deviation = std::sqrt(squares / static_cast<Wide>(D) + static_cast<Wide>(eps));
    for (Index d = 0; d < D; ++d)
      y.data()[r + d] = double((at(d) - mean) / deviation * static_cast<Wide>(w(d)) +
                               static_cast<Wide>(b ? (*b)(d) : T(0)));
  }
  return y;
}

TYPED_TEST(Norms, AreTheirFormulas) {
  using T = TypeParam;
  const double tolerance = std::is_same_v<T, double> ? 1e-13 : 3e-6;
  for (const Index D : {1, 2, 7, 8, 33, 512})
    for (const double eps : {1e-12, 1e-5, 0.5}) {
      auto x = normal<T, 3>(this->random, {2, 3, D});
      const auto w = normal<T, 1>(this->random, {D}), b = normal<T, 1>(this->random, {D});
      x.flat().array() += T(3);
      if (D > 1) {  // of one element nothing is left but b
        EXPECT_LT(largest_gap(layer_norm(x, w, b.view(), eps), plain_norm(x, w, &b, eps, true)),
                  10 * tolerance);
        EXPECT_LT(largest_gap(layer_norm(x, w, std::nullopt, eps),
                              plain_norm<T>(x, w, nullptr, eps, true)),
                  10 * tolerance);
      } else {
        EXPECT_EQ(layer_norm(x, w, b.view(), eps)(1, 2, 0), b(0));
      }
      EXPECT_LT(largest_gap(rms_norm(x, w, eps), plain_norm<T>(x, w, nullptr, eps, false)),
                10 * tolerance);
    }
}

// Where squares are taken of numbers with a large mean, float has no digits left of the variance.
TYPED_TEST(Norms, KeepTheDigitsOfRowsFarFromZero) {
  using T = TypeParam;
  auto x = normal<T, 3>(this->random, {1, 1, 64});
  x.flat().array() += T(4096);
  Tensor<T, 1> ones({64});
  ones.flat().setOnes();
  const double gap = largest_gap(layer_norm(x, ones, std::nullopt, 1e-5),
                                 plain_norm<T>(x, ones, nullptr, 1e-5, true));
  EXPECT_LT(gap, (std::is_same_v<T, double> ? 1e-11 : 2e-3));
}

TYPED_TEST(Norms, OfARowAreBitwiseIdenticalWhereverItLiesAndForAnyNumberOfThreads) {
  using T = TypeParam;
  const auto x = normal<T, 3>(this->random, {70, 9, 65});
  const auto w = normal<T, 1>(this->random, {65}), b = normal<T, 1>(this->random, {65});
  const Tensor<T, 3> all = layer_norm(x, w, b.view(), 1e-5), rms = rms_norm(x, w, 1e-5);
  attn::set_num_threads(3);
  EXPECT_TRUE(same_bits(layer_norm(x, w, b.view(), 1e-5), all));
  attn::set_executor(attn::Pool{});
  for (const Index i : {0, 33, 69}) {
    EXPECT_TRUE(same_bits(layer_norm(x[i].copy(), w, b.view(), 1e-5), all[i].copy()));
    EXPECT_TRUE(same_bits(rms_norm(x[i].copy(), w, 1e-5), rms[i].copy()));
  }
}

TYPED_TEST(Norms, WorkInPlaceOnAnRvalue) {
  using T = TypeParam;
  auto x = normal<T, 2>(this->random, {5, 8});
  const T* memory = x.data();
  const attn::LayerNorm<T> norm({.normalized_shape = 8});
  const Tensor<T, 2> copy = norm(x), moved = norm(std::move(x));
  EXPECT_TRUE(same_bits(copy, moved));
  EXPECT_EQ(moved.data(), memory);
  EXPECT_NE(copy.data(), memory);
}

TYPED_TEST(Norms, SpreadANaNOverItsRowAlone) {
  using T = TypeParam;
  auto x = normal<T, 2>(this->random, {2, 8});
  x(0, 3) = std::numeric_limits<T>::quiet_NaN();
  for (const auto& y : {attn::LayerNorm<T>({.normalized_shape = 8})(x),
                        attn::RMSNorm<T>({.normalized_shape = 8})(x)}) {
    EXPECT_TRUE(y.matrix().row(0).array().isNaN().all());
    EXPECT_TRUE(y.matrix().row(1).array().isFinite().all());
  }
}

TEST(NormErrors, NameTheLayerAndWhatWasExpected) {
  EXPECT_EQ(sentence_of<attn::ShapeError>([] {
              attn::LayerNorm<float>({.normalized_shape = 4})(Tensor<float, 2>({2, 3}));
            }),
            "LayerNorm: input (2, 3) must have normalized_shape = 4 on its last axis");
  EXPECT_EQ(sentence_of<attn::OptionError>([] { attn::RMSNorm<float>({.normalized_shape = 0}); }),
            "RMSNorm: normalized_shape = 0 must be at least 1");
  EXPECT_EQ(attn::RMSNorm<float>({.normalized_shape = 4}).eps,
            double(std::numeric_limits<float>::epsilon()))
      << "as PyTorch's";
}

}  // namespace
