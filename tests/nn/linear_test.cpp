#include <gtest/gtest.h>
#include <attn/math/functions.hpp>
#include <attn/math/rearrange.hpp>
#include <attn/math/reduction.hpp>
#include <attn/nn/linear.hpp>

#include <thread>

#include "support/expect_error.hpp"
#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;

template <class T>
class Linear : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Linear, Scalars);

TYPED_TEST(Linear, IsXTimesWTransposedPlusB) {
  using T = TypeParam;
  attn::Random random{3};
  for (const auto& [B, L, in, out] : std::vector<std::array<Index, 4>>{
           {1, 1, 1, 1}, {2, 5, 7, 3}, {3, 67, 20, 33}, {2, 0, 4, 4}, {1, 3, 0, 2}}) {
    const attn::Linear<T> layer({.in_features = in, .out_features = out}, random),
        bare({.in_features = in, .out_features = out, .bias = false}, random);
    const auto x = normal<T, 3>(random, {B, L, in});
    Tensor<double, 3> expected({B, L, out}), expected_bare({B, L, out});
    for (Index b = 0; b < B; ++b)
      for (Index l = 0; l < L; ++l)
        for (Index o = 0; o < out; ++o) {
          expected(b, l, o) = double(layer.bias->value()(o));
          for (Index i = 0; i < in; ++i) {
            expected(b, l, o) += double(x(b, l, i)) * double(layer.weight.value()(o, i));
            expected_bare(b, l, o) += double(x(b, l, i)) * double(bare.weight.value()(o, i));
          }
        }
    const double tolerance = std::is_same_v<T, double> ? 1e-14 : 3e-6;
    EXPECT_LT(largest_gap(layer(x), expected), tolerance);
    EXPECT_LT(largest_gap(bare(x), expected_bare), tolerance);
  }
}

TYPED_TEST(Linear, OfOneAxisIsThatOfOneRow) {
  using T = TypeParam;
  attn::Random random{3};
  attn::Linear<T> layer({.in_features = 7, .out_features = 3}, random);
  const auto row = normal<T, 2>(random, {1, 7});
  const auto x = attn::reshape(row, {7});
  EXPECT_EQ(layer(x), attn::reshape(layer(row), {3}));

  const auto gradients_of = [&](const auto& input) {
    attn::Tape<T> tape;
    const auto variable = tape.variable(input);
    for (auto& p : layer.parameters()) p.grad.clear();
    tape.backward(attn::sum(attn::exp(layer(variable))));
    return std::pair(attn::reshape(variable.grad(), {7}), layer.weight.gradient().sum());
  };
  EXPECT_EQ(gradients_of(x), gradients_of(row));
}

TYPED_TEST(Linear, IsBitwiseIdenticalForAnyNumberOfThreads) {
  using T = TypeParam;
  attn::Random random{4};
  const attn::Linear<T> layer({.in_features = 50, .out_features = 30}, random);
  const auto x = normal<T, 2>(random, {333, 50});
  attn::set_num_threads(1);
  const Tensor<T, 2> one = layer(x);
  for (const Index threads : {2, 3, 8}) {
    attn::set_num_threads(threads);
    EXPECT_TRUE(same_bits(layer(x), one));
  }
  attn::set_executor(attn::Pool{});
}

/// Three layers of one input, each stored as asked for.
template <class T>
std::array<attn::Linear<T>, 3> three_layers(attn::Random& random,
                                            const std::array<std::optional<attn::Storage>, 3>& as,
                                            bool rounds_activations) {
  const auto made = [&](Index out, bool bias) {
    return attn::Linear<T>({.in_features = 70, .out_features = out, .bias = bias}, random);
  };
  std::array layers{made(96, true), made(33, false), made(50, true)};
  for (std::size_t i = 0; i < as.size(); ++i)
    if (as[i]) layers[i].store_weights(*as[i]);
  for (auto& layer : layers)
    if (rounds_activations) layer.round_activations(attn::Storage::int8);
  return layers;
}

TYPED_TEST(Linear, OfSeveralWeightsTogetherAreBitwiseThoseOfEach) {
  using T = TypeParam;
  using attn::Storage;
  attn::Random random{6};
  const std::array<std::optional<Storage>, 3> all_stored[] = {
      {},
      {Storage::bfloat16, Storage::bfloat16, Storage::bfloat16},
      {Storage::int8, Storage::int8, Storage::int8},
      {Storage::int4, Storage::int8, Storage::int4},
      {Storage::int4, std::nullopt, Storage::float16},
      {std::nullopt, Storage::int8, Storage::int8}};
  for (const auto& stored : all_stored)
    for (const bool rounds_activations : {false, true}) {
      const auto layers = three_layers<T>(random, stored, rounds_activations);
      for (const Index rows : {0, 1, 4, 5, 100, 1000}) {
        const auto x = normal<T, 2>(random, {rows, 70});
        const auto inputs = [&](std::size_t i) { return attn::Linear<T>::inputs(layers[i]); };
        const auto y = attn::apply_each(attn::LinearMap{}, x, inputs(0), inputs(1), inputs(2));
        for (std::size_t i = 0; i < layers.size(); ++i)
          EXPECT_TRUE(same_bits(y[i], layers[i](x))) << rows << " rows, layer " << i;
      }
    }
  const auto layers = three_layers<T>(random, {}, false);
  const attn::Linear<T> other({.in_features = 71, .out_features = 3});
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              return attn::apply_each(attn::LinearMap{}, Tensor<T, 2>({2, 70}),
                                      attn::Linear<T>::inputs(layers[0]),
                                      attn::Linear<T>::inputs(other));
            }),
            "Linear: input (2, 70) must have in_features = 71 on its last axis");
}

TYPED_TEST(Linear, OfSeveralWeightsTogetherIsRecordedForEach) {
  using T = TypeParam;
  attn::Random random{6};
  auto layers = three_layers<T>(random, {}, false);
  const auto x = normal<T, 2>(random, {5, 70});
  const auto gradients = [&](auto&& apply_to) {
    attn::Tape<T> tape;
    const auto variable = tape.variable(x);
    const auto [a, b] = apply_to(variable);
    tape.backward(attn::sum(a) + attn::sum(attn::exp(b)));
    auto all = std::tuple(variable.grad(), layers[0].weight.gradient().sum(),
                          layers[1].weight.gradient().sum(), layers[0].bias->gradient().sum());
    for (auto& layer : layers)
      for (auto& p : layer.parameters()) p.grad.clear();
    return all;
  };
  const auto together = gradients([&](const auto& v) {
    return attn::apply_each(attn::LinearMap{}, v, attn::Linear<T>::inputs(layers[0]),
                            attn::Linear<T>::inputs(layers[1]));
  });
  const auto each = gradients([&](const auto& v) { return std::pair(layers[0](v), layers[1](v)); });
  EXPECT_EQ(together, each);
}

TYPED_TEST(Linear, OfARowIsBitwiseIdenticalForAnyNumberOfRows) {
  using T = TypeParam;
  attn::Random random{4};
  const attn::Linear<T> layer({.in_features = 50, .out_features = 30}, random);
  const auto x = normal<T, 2>(random, {131, 50});
  const Tensor<T, 2> all = layer(x);
  for (const Index row : {0, 7, 96, 130})
    EXPECT_TRUE((layer(x.slice(0, row, row + 1).copy()).view() == all.slice(0, row, row + 1)))
        << row;
}

/// Packed weights are made anew whichever way the weight was changed.
TYPED_TEST(Linear, SeesEveryChangeOfItsWeight) {
  using T = TypeParam;
  attn::Random random{6};
  attn::Linear<T> layer({.in_features = 4, .out_features = 3, .bias = false}, random);
  const auto x = normal<T, 2>(random, {2, 4});
  const auto is_right = [&] {
    return double((layer(x).matrix() - x.matrix() * layer.weight.value().matrix().transpose())
                      .cwiseAbs()
                      .maxCoeff()) < 1e-6;
  };
  EXPECT_TRUE(is_right());
  layer.weight.edit()(1, 2) = 5;
  EXPECT_TRUE(is_right()) << "edited";
  for (const auto& p : layer.parameters()) p.edit()[3] = -7;
  EXPECT_TRUE(is_right()) << "through parameters()";
  const attn::Linear<T> other({.in_features = 4, .out_features = 3, .bias = false}, random);
  layer.load_state_dict(other.state_dict());
  EXPECT_TRUE(is_right()) << "loaded";
  layer.weight = attn::Parameter<T, 2>({3, 4});
  EXPECT_TRUE(is_right()) << "another parameter";
  attn::Linear<T> copy = layer;
  EXPECT_TRUE((copy(x) == layer(x)));
  copy.weight.edit()(0, 0) = 9;
  EXPECT_FALSE((copy(x) == layer(x))) << "a copy has a weight of its own";
  EXPECT_TRUE(is_right());
  layer = copy;
  EXPECT_TRUE((copy(x) == layer(x)) && is_right()) << "assigned";
}

TYPED_TEST(Linear, MayBeUsedByThreadsAtOnce) {
  using T = TypeParam;
  attn::Random random{8};
  attn::Linear<T> layer({.in_features = 40, .out_features = 30}, random);
  const auto x = normal<T, 2>(random, {5, 40});
  for (int round = 0; round < 20; ++round) {
    layer.weight.edit()(0, 0) = T(round);  // the first thread that needs it packs it
    std::vector<Tensor<T, 2>> results(4);
    std::vector<std::thread> threads;
    for (auto& result : results) threads.emplace_back([&] { result = std::as_const(layer)(x); });
    for (auto& thread : threads) thread.join();
    for (const auto& result : results) EXPECT_TRUE(same_bits(result, results[0]));
  }
}

TEST(LinearStart, IsPyTorchs) {
  attn::Random random{5};
  const attn::Linear<double> layer({.in_features = 64, .out_features = 500}, random);
  const double bound = 1 / 8.0;
  EXPECT_LE(layer.weight.value().flat().cwiseAbs().maxCoeff(), bound);
  EXPECT_GT(layer.weight.value().flat().cwiseAbs().maxCoeff(), 0.99 * bound);
  EXPECT_NEAR(layer.weight.value().flat().squaredNorm() / 32000, bound * bound / 3, 2e-4);
  EXPECT_LE(layer.bias->value().flat().cwiseAbs().maxCoeff(), bound);
  EXPECT_GT(layer.bias->value().flat().cwiseAbs().maxCoeff(), 0.9 * bound);
  const attn::Linear<double> zero({.in_features = 3, .out_features = 2});
  EXPECT_EQ(zero.weight.value().flat().cwiseAbs().maxCoeff(), 0);
}

TEST(LinearErrors, NameWhatIsWrong) {
  const attn::Linear<float> layer({.in_features = 4, .out_features = 2});
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              layer(Tensor<float, 2>({3, 5}));
            }),
            "Linear: input (3, 5) must have in_features = 4 on its last axis");
  EXPECT_EQ(sentence_of<attn::OptionError>(
                [] { attn::Linear<float>({.in_features = -1, .out_features = 2}); }),
            "Linear: in_features = -1 and out_features = 2 must be at least 0");
}

}  // namespace
