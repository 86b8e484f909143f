#include <gtest/gtest.h>

#include <attn/train/gradients.hpp>
#include <attn/train/moving_average.hpp>
#include <stdexcept>

#include "support/expect_error.hpp"
#include "support/small_model.hpp"

namespace {

using attn::Index;

template <class T>
class MovingAverage : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(MovingAverage, Scalars);

TYPED_TEST(MovingAverage, IsTheFormulaFromTheFirstStepOn) {
  using T = TypeParam;
  SmallModel<T> model(attn::Random{1}, 5003);
  attn::MovingAverage<T> average(model.parameters(), {.decay = 0.75});
  const std::vector<T> first = numbers_of(model);
  std::vector<double> expected(first.begin(), first.end());
  for (int step = 0; step < 3; ++step) {
    for (const auto& p : model.parameters())
      for (T& x : p.edit()) x = x * T(0.5) + T(step);
    average.update();
    const std::vector<T> now = numbers_of(model);
    for (std::size_t i = 0; i < now.size(); ++i)
      expected[i] = 0.75 * expected[i] + 0.25 * double(now[i]);
  }
  SmallModel<T> averaged(5003);
  averaged.load_state_dict(average.state_dict());
  const std::vector<T> got = numbers_of(averaged);
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(double(got[i]), expected[i], (std::is_same_v<T, float> ? 1e-6 : 1e-15)) << i;
}

TYPED_TEST(MovingAverage, ReplacesTheWeightsWhileItIsEvaluated) {
  using T = TypeParam;
  SmallModel<T> model(attn::Random{1}), second;
  attn::MovingAverage<T> average(model.parameters());
  const std::vector<T> first = numbers_of(model);
  for (const auto& p : model.parameters()) std::ranges::fill(p.edit(), T(3));
  const std::vector<T> trained = numbers_of(model);
  const attn::Stamp before = model.bias.stamp();
  EXPECT_TRUE(same_bits(average.evaluate([&] { return numbers_of(model); }), first));
  EXPECT_TRUE(same_bits(numbers_of(model), trained));
  EXPECT_NE(model.bias.stamp(), before) << "what was packed from it is packed again";
  EXPECT_THROW(average.evaluate([&]() -> int { throw std::runtime_error("of the caller's"); }),
               std::runtime_error);
  EXPECT_TRUE(same_bits(numbers_of(model), trained)) << "also if it throws";
  const std::string during = " must not be asked for while evaluate runs";
  average.evaluate([&] {
    EXPECT_EQ(sentence_of<attn::Error>([&] { average.update(); }),
              "MovingAverage: update" + during);
    EXPECT_EQ(sentence_of<attn::Error>([&] { average.evaluate([] {}); }),
              "MovingAverage: evaluate" + during);
    EXPECT_EQ(sentence_of<attn::Error>([&] { average.state_dict(); }),
              "MovingAverage: the state" + during);
  });
  EXPECT_TRUE(same_bits(average.evaluate([&] { return numbers_of(model); }), first));
}

TYPED_TEST(MovingAverage, LoadsTheWholeStateOrNothing) {
  using T = TypeParam;
  SmallModel<T> model(attn::Random{1}), other(attn::Random{2});
  attn::MovingAverage<T> average(model.parameters());
  const auto held = [&] { return average.evaluate([&] { return numbers_of(model); }); };
  const std::vector<T> first = held();
  attn::StateDict<T> state;
  state.set("weight", other.weight.value());
  state.set("bias", other.inner.weight.value());
  state.set("more", other.bias.value());
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { average.load_state_dict(state); }),
            "MovingAverage: the state must have exactly the entries of its parameters; missing: "
            "inner.bias, inner.weight; unexpected: more; misshapen: bias "
            "(3, 4) instead of (5)");
  EXPECT_TRUE(same_bits(held(), first));
  average.load_state_dict(other.state_dict());
  EXPECT_TRUE(same_bits(held(), numbers_of(other)));
}

TEST(MovingAverageErrors, NameWhatIsWrong) {
  SmallModel<float> model;
  EXPECT_EQ(sentence_of<attn::OptionError>(
                [&] { attn::MovingAverage<float>(model.parameters(), {.decay = 1.5}); }),
            "MovingAverage: decay = 1.5 must be from 0 to 1");
  auto twice = model.parameters();
  twice.push_back(twice.front());
  EXPECT_EQ(sentence_of<attn::OptionError>([&] { attn::MovingAverage<float>{twice}; }),
            "MovingAverage: the parameter " + twice.front().name +
                " must be given once, but it is given twice");
  for (const auto& p : twice) std::fill(p.grad.values().begin(), p.grad.values().end(), 1.0f);
  EXPECT_EQ(attn::gradient_norm(twice), attn::gradient_norm(model.parameters()));
}

}  // namespace
