#include <gtest/gtest.h>

#include <attn/core/nested.hpp>
#include <attn/core/state_dict.hpp>

#include "support/expect_error.hpp"

namespace {

using attn::Index;
using attn::StateDict;
using attn::Tensor;
using Names = std::vector<std::string>;
using Extents = std::vector<Index>;

static_assert(attn::StateSource<StateDict<float>, float> &&
              attn::StateSource<StateDict<double>, float> && !attn::StateSource<int, float>);

StateDict<float> linear() {
  StateDict<float> state;
  state.set("weight", attn::tensor<float>({{1, 2, 3}, {4, 5, 6}}));
  state.set("bias", attn::tensor<float>({7, 8}));
  return state;
}

TEST(StateDict, KeepsNamesShapesAndValuesInOrder) {
  const StateDict<float> state = linear();
  EXPECT_EQ(state.names(), (Names{"weight", "bias"}));
  EXPECT_EQ(state.shape("weight"), (Extents{2, 3}));
  EXPECT_EQ(state.shape("bias"), (Extents{2}));
  EXPECT_EQ(std::vector<float>(state.values("weight").begin(), state.values("weight").end()),
            (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(state.values("bias")[1], 8);
  EXPECT_TRUE(state.contains("bias"));
  EXPECT_FALSE(state.contains("Bias"));
  EXPECT_FALSE(state.contains(""));
}

TEST(StateDict, OwnsItsValues) {
  Tensor<float, 1> x = attn::tensor<float>({1, 2});
  StateDict<float> state;
  state.set("x", x);
  x(0) = 9;
  const StateDict<float> copy = state;
  state.set("x", x);
  EXPECT_EQ(copy.values("x")[0], 1);
  EXPECT_EQ(state.values("x")[0], 9);
}

TEST(StateDict, SettingAnEntryAgainReplacesItInPlace) {
  StateDict<float> state = linear();
  state.set("weight", attn::tensor<float>({5}));
  EXPECT_EQ(state.names(), (Names{"weight", "bias"}));
  EXPECT_EQ(state.shape("weight"), (Extents{1}));
  EXPECT_EQ(state.values("weight")[0], 5);
}

TEST(StateDict, ReadConvertsToTheRequestedType) {
  StateDict<double> state;
  state.set("x", attn::tensor<double>({0.1, 2}));
  std::vector<float> values(2);
  state.read("x", std::span<float>(values));
  EXPECT_EQ(values, (std::vector<float>{0.1f, 2}));
}

TEST(StateDict, HoldsScalarsAndEmptyEntries) {
  StateDict<float> state;
  const float one = 1;
  state.set("steps", {}, std::span<const float>(&one, 1));
  state.set("nothing", {3, 0}, {});
  EXPECT_EQ(state.shape("steps"), Extents{});
  EXPECT_EQ(state.values("steps").size(), 1u);
  EXPECT_EQ(state.shape("nothing"), (Extents{3, 0}));
  EXPECT_EQ(state.values("nothing").size(), 0u);
}

TEST(StateDict, ErrorsNameTheEntry) {
  StateDict<float> state = linear();
  std::vector<float> three(3);
  EXPECT_EQ(sentence_of<attn::Error>([&] { state.values("wait"); }),
            "StateDict: there is no entry wait");
  EXPECT_EQ(sentence_of<attn::Error>([&] { state.shape("wait"); }),
            "StateDict: there is no entry wait");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { state.read("bias", std::span<float>(three)); }),
            "StateDict: bias has 2 values, not 3");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              state.set("bias", {2, 2}, std::span<const float>(three));
            }),
            "StateDict: bias has 3 values but shape (2, 2)");
  EXPECT_THROW(state.set("bias", {-3}, std::span<const float>(three)), attn::ShapeError);
  EXPECT_EQ(state.values("bias")[1], 8) << "a failed call changes nothing";
  EXPECT_EQ(state.names().size(), 2u);
}

}  // namespace
