#include <gtest/gtest.h>

#include <attn/train/gradients.hpp>

#include "support/expect_error.hpp"
#include "support/small_model.hpp"

namespace {

using attn::Index;

template <class T>
class Gradients : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Gradients, Scalars);

template <class T>
std::vector<T> gradients_of(SmallModel<T>& model) {
  std::vector<T> all;
  for (const auto& p : model.parameters()) {
    const auto values = p.grad.values();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

TYPED_TEST(Gradients, AreClippedToTheNormAsPyTorchDoes) {
  using T = TypeParam;
  SmallModel<T> model(20011);
  attn::Random random{1};
  draw_gradients(model.parameters(), random);
  const std::vector<T> before = gradients_of(model);
  double squares = 0;
  for (const T g : before) squares += double(g) * double(g);
  const double norm = std::sqrt(squares);
  EXPECT_NEAR(attn::gradient_norm(model.parameters()), norm, 1e-11);

  EXPECT_NEAR(attn::clip_gradient_norm(model.parameters(), norm + 1e-3), norm, 1e-11);
  EXPECT_TRUE(same_bits(gradients_of(model), before)) << "within the norm nothing changes";
  EXPECT_NEAR(attn::clip_gradient_norm(model.parameters(), 0.5), norm, 1e-11) << "the norm before";
  const std::vector<T> after = gradients_of(model);
  const double factor = 0.5 / (norm + 1e-6), tolerance = std::is_same_v<T, float> ? 1e-9 : 1e-16;
  for (std::size_t i = 0; i < before.size(); ++i)
    ASSERT_NEAR(double(after[i]), factor * double(before[i]), tolerance) << i;
}

/// The 1e-6 is added to the norm.
TYPED_TEST(Gradients, OfASmallNormAreScaledByPyTorchsFactor) {
  using T = TypeParam;
  SmallModel<T> model;
  model.bias.gradient().sum()(1) = T(2e-6);
  EXPECT_NEAR(attn::clip_gradient_norm(model.parameters(), 1.5e-6), 2e-6, 1e-12);
  EXPECT_NEAR(double(model.bias.gradient().sum()(1)), 1e-6, 1e-12);
  EXPECT_TRUE(model.weight.gradient().empty()) << "what is empty stays empty";
  model.bias.gradient().clear();
  EXPECT_EQ(attn::clip_gradient_norm(model.parameters(), 1), 0);
}

TYPED_TEST(Gradients, OfANormThatIsNotFiniteBecomeWhatPyTorchMakes) {
  using T = TypeParam;
  SmallModel<T> model;
  const T infinity = std::numeric_limits<T>::infinity();
  model.bias.gradient().sum().flat() << 1, 2, infinity, 3, 4;
  EXPECT_EQ(attn::clip_gradient_norm(model.parameters(), 1), double(infinity));
  const auto& g = model.bias.gradient().sum();
  EXPECT_TRUE(g(0) == 0 && g(1) == 0 && std::isnan(g(2)) && g(3) == 0);
  EXPECT_TRUE(std::isnan(attn::clip_gradient_norm(model.parameters(), 1)));
  EXPECT_TRUE(std::isnan(g(0)) && std::isnan(g(4)));
}

/// 1e30 squared is no float.
TYPED_TEST(Gradients, AreSummedInDouble) {
  using T = TypeParam;
  SmallModel<T> model;
  std::ranges::fill(model.parameters()[0].grad.values(), T(1e30));
  EXPECT_NEAR(attn::gradient_norm(model.parameters()) / 1e30, std::sqrt(35), 1e-6);
}

/// The mean over two batches is half of their sum.
TYPED_TEST(Gradients, AreScaled) {
  using T = TypeParam;
  SmallModel<T> model(5003);
  attn::Random random{1};
  draw_gradients(model.parameters(), random);
  model.inner.bias.gradient().clear();
  const std::vector<T> before = gradients_of(model);
  attn::scale_gradients(model.parameters(), 0.5);
  const std::vector<T> after = gradients_of(model);
  for (std::size_t i = 0; i < before.size(); ++i) ASSERT_EQ(after[i], before[i] / 2) << i;
}

TEST(GradientErrors, NameWhatIsWrong) {
  SmallModel<float> model;
  EXPECT_EQ(
      sentence_of<attn::OptionError>([&] { attn::clip_gradient_norm(model.parameters(), -1); }),
      "clip_gradient_norm: max_norm = -1 must be at least 0");
  EXPECT_EQ(sentence_of<attn::OptionError>(
                [&] { attn::clip_gradient_norm(model.parameters(), std::nan("")); }),
            "clip_gradient_norm: max_norm = nan must be at least 0");
}

}  // namespace
