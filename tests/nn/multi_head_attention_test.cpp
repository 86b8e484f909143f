#include <gtest/gtest.h>
#include <attn/nn/self_attention.hpp>

#include "support/expect_error.hpp"
#include "support/plain_multi_head.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;

template <class T>
class MultiHead : public testing::Test {
 protected:
  attn::Random random{11};
  static double tolerance() { return std::is_same_v<T, double> ? 1e-13 : 1e-5; }

  /// Biases start at 0 and would hide mistakes.
  attn::MultiHeadAttention<T> layer(const attn::MultiHeadAttentionOptions& options) {
    attn::MultiHeadAttention<T> result(options, random);
    for (const auto& p : result.parameters())
      for (T& value : p.edit()) value = T(0.4 * random.normal<double>());
    return result;
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(MultiHead, Scalars);

TYPED_TEST(MultiHead, IsTheConcatenationOfItsHeadsProjected) {
  using T = TypeParam;
  const std::vector<attn::MultiHeadAttentionOptions> all{
      {.embed_dim = 12, .num_heads = 3},
      {.embed_dim = 8, .num_heads = 1, .bias = false},
      {.embed_dim = 12, .num_heads = 6, .num_kv_heads = 2},
      {.embed_dim = 8, .num_heads = 2, .kdim = 5, .vdim = 9},
      {.embed_dim = 10, .num_heads = 3, .d_k = 2, .d_v = 5},
      {.embed_dim = 8, .num_heads = 4, .num_kv_heads = 2, .kdim = 3, .d_k = 7},
      {.embed_dim = 8, .num_heads = 4, .num_kv_heads = 2, .vdim = 3, .bias = false}};
  for (const auto& options : all) {
    const auto layer = this->layer(options);
    const Index D = options.embed_dim;
    const auto query = normal<T, 3>(this->random, {2, 5, D}),
               key = normal<T, 3>(this->random, {2, 7, options.kdim.value_or(D)}),
               value = normal<T, 3>(this->random, {2, 7, options.vdim.value_or(D)});
    const auto [expected, expected_weights] = plain_multi_head(layer, query, key, value);
    const auto [output, weights] = layer.with_weights(query, key, value);
    EXPECT_LT(largest_gap(output, expected), this->tolerance());
    EXPECT_LT(largest_gap(weights, expected_weights), this->tolerance());
    EXPECT_TRUE(same_bits(layer(query, key, value), output))
        << "the weights do not change the output";
    const auto padded = layer(query, key, value, attn::Padding{{7, 3}});
    EXPECT_LT(
        largest_gap(padded, plain_multi_head(layer, query, key, value,
                                             {.allows = [](Index b, Index, Index,
                                                           Index j) { return b == 0 || j < 3; }})
                                .first),
        this->tolerance());
  }
}

TYPED_TEST(MultiHead, AttendsToACacheBitwiseIdentically) {
  using T = TypeParam;
  const auto layer =
      this->layer({.embed_dim = 12, .num_heads = 6, .num_kv_heads = 2, .d_k = 5, .d_v = 3});
  const auto x = normal<T, 3>(this->random, {3, 7, 12});
  const Tensor<T, 3> whole = layer(x, x, x, attn::Causal{});
  attn::KeyValueCache<T> cache = layer.cache(3, 7);
  for (const auto& [begin, end] : {std::pair<Index, Index>{0, 1}, {1, 2}, {2, 5}, {5, 7}}) {
    const Tensor<T, 3> next = x.slice(1, begin, end).copy();
    layer.append(cache, next, next);
    EXPECT_TRUE(same_bits(layer.attend(next, cache, attn::Causal{attn::Align::lower_right}),
                          whole.slice(1, begin, end).copy()));
  }
  EXPECT_EQ(cache.length(), 7);
  const Tensor<T, 3> one = x.slice(1, 0, 1).copy();
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { layer.append(cache, one, one); }),
            "KeyValueCache: 8 positions must be at most the capacity, 7");
  const Tensor<T, 3> two = x.slice(0, 0, 2).copy();
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { layer.append(cache, two, two); }),
            "KeyValueCache: keys (2, 7, 10) must be (3, 7, 10), the batch of the cache, the length "
            "of the keys, the width of the cache");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { layer.append(cache, one, x); }),
            "KeyValueCache: values (3, 7, 6) must be (3, 1, 6), the batch of the cache, the length "
            "of the keys, the width of the cache");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { cache.truncate(8); }),
            "KeyValueCache: length 8 must be at least 0 and at most the present length, 7");
  cache.select({2, 2});
  const Tensor<T, 3> last = x.slice(1, 6, 7).copy(),
                     twice = layer.attend(last.slice(0, 2, 3).copy(), [&] {
                       auto c = cache;
                       c.select({1});
                       return c;
                     }());
  EXPECT_TRUE(same_bits(
      twice, layer(x.slice(0, 2, 3), x.slice(0, 2, 3), x.slice(0, 2, 3)).slice(1, 6, 7).copy()));
}

TYPED_TEST(MultiHead, WithOneSourceIsSelfAttention) {
  using T = TypeParam;
  attn::SelfAttention<T> self({.embed_dim = 12, .num_heads = 4, .num_kv_heads = 2}, this->random);
  const auto layer = this->layer({.embed_dim = 12, .num_heads = 4, .num_kv_heads = 2});
  self.load_state_dict(layer.state_dict());
  const auto x = normal<T, 3>(this->random, {2, 6, 12});
  const auto [expected, expected_weights] = plain_multi_head(
      layer, x, x, x, {.allows = [](Index, Index, Index i, Index j) { return j <= i; }});
  EXPECT_LT(largest_gap(self(x, attn::Causal{}), expected), this->tolerance());
  EXPECT_LT(largest_gap(self.with_weights(x, attn::Causal{}).weights, expected_weights),
            this->tolerance());
}

TYPED_TEST(MultiHead, TakesOneSequenceAsMatrixViewOrTwoAxes) {
  using T = TypeParam;
  const auto layer = this->layer({.embed_dim = 6, .num_heads = 2});
  const auto x = normal<T, 3>(this->random, {2, 5, 6});
  const Tensor<T, 3> both = layer(x, x, x);
  const Tensor<T, 2> second = layer(x[1], x[1], x[1]);
  EXPECT_LT(largest_gap(second, both[1].copy()), this->tolerance());
  const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic> X = x.matrix(1), Y = layer(X, X, X);
  EXPECT_LT(double((Y - both.matrix(1)).cwiseAbs().maxCoeff()), 1e-6);
  EXPECT_EQ(layer.with_weights(X, X, X).weights.shape(), (attn::Shape<4>{1, 2, 5, 5}));
}

TEST(MultiHeadState, HasPyTorchsNamesAndShapes) {
  const auto names = [](const auto& layer) {
    std::string text;
    for (const auto& p : layer.parameters()) text += p.name + attn::to_string(p.shape) + ' ';
    return text;
  };
  EXPECT_EQ(names(attn::MultiHeadAttention<float>({.embed_dim = 8, .num_heads = 2})),
            "in_proj_weight(24, 8) in_proj_bias(24) out_proj.weight(8, 8) out_proj.bias(8) ");
  EXPECT_EQ(names(attn::MultiHeadAttention<float>(
                {.embed_dim = 8, .num_heads = 2, .kdim = 8, .vdim = 8})),
            names(attn::MultiHeadAttention<float>({.embed_dim = 8, .num_heads = 2})));
  EXPECT_EQ(names(attn::MultiHeadAttention<float>({.embed_dim = 8, .num_heads = 2, .kdim = 5})),
            "q_proj_weight(8, 8) k_proj_weight(8, 5) v_proj_weight(8, 8) in_proj_bias(24) "
            "out_proj.weight(8, 8) out_proj.bias(8) ");
  EXPECT_EQ(names(attn::MultiHeadAttention<float>(
                {.embed_dim = 8, .num_heads = 4, .num_kv_heads = 2, .bias = false})),
            "in_proj_weight(16, 8) out_proj.weight(8, 8) ");
  EXPECT_EQ(names(attn::SelfAttention<float>({.embed_dim = 8, .num_heads = 2})),
            "in_proj_weight(24, 8) in_proj_bias(24) out_proj.weight(8, 8) out_proj.bias(8) ");
}

TEST(MultiHeadState, StartsAsPyTorchs) {
  attn::Random random{1};
  const attn::MultiHeadAttention<double> layer({.embed_dim = 64, .num_heads = 4}, random);
  const auto expect_uniform = [](const Tensor<double, 2>& weight, double bound) {
    EXPECT_LE(weight.flat().cwiseAbs().maxCoeff(), bound);
    EXPECT_NEAR(weight.flat().squaredNorm() / double(weight.size()), bound * bound / 3,
                0.05 * bound * bound);
  };
  expect_uniform(layer.in_proj_weight->value(), std::sqrt(6.0 / (64 + 192)));
  expect_uniform(layer.out_proj.weight.value(), 1 / 8.0);
  EXPECT_EQ(layer.in_proj_bias->value().flat().cwiseAbs().maxCoeff() +
                layer.out_proj.bias->value().flat().cwiseAbs().maxCoeff(),
            0);
  const attn::MultiHeadAttention<double> apart({.embed_dim = 64, .num_heads = 4, .kdim = 32},
                                               random);
  expect_uniform(apart.q_proj_weight->value(), std::sqrt(6.0 / 128));
  expect_uniform(apart.k_proj_weight->value(), std::sqrt(6.0 / 96));
}

TEST(MultiHeadState, LoadsWhatItSavedUnderAPrefix) {
  attn::Random random{2};
  const attn::MultiHeadAttention<float> layer({.embed_dim = 8, .num_heads = 2}, random);
  attn::StateDict<double> file;
  file.set("other.weight", Tensor<double, 1>({3}));
  for (const auto& p : layer.parameters())
    file.set("encoder." + p.name, p.shape, std::vector<double>(p.value.begin(), p.value.end()));
  attn::MultiHeadAttention<float> copy({.embed_dim = 8, .num_heads = 2});
  copy.load_state_dict(file, "encoder.");
  const auto x = normal<float, 3>(random, {1, 3, 8});
  EXPECT_TRUE(same_bits(copy(x, x, x), layer(x, x, x)));
}

TEST(MultiHeadState, NamesEveryEntryThatDoesNotFitAndChangesNothing) {
  attn::Random random{2};
  attn::MultiHeadAttention<float> layer({.embed_dim = 8, .num_heads = 2}, random);
  const attn::StateDict<float> before = layer.state_dict();
  attn::StateDict<float> state;
  state.set("a.in_proj_weight", Tensor<float, 2>({24, 7}));
  state.set("a.in_proj_bias", Tensor<float, 1>({8}));
  state.set("a.out_proj.weight", Tensor<float, 2>({8, 8}));
  state.set("a.bias_k", Tensor<float, 1>({8}));
  state.set("a.extra", Tensor<float, 1>({8}));
  EXPECT_EQ(
      sentence_of<attn::ShapeError>([&] { layer.load_state_dict(state, "a."); }),
      "MultiHeadAttention: the state dict must have exactly this layer's entries; missing: "
      "a.out_proj.bias; unexpected: a.bias_k, a.extra; "
      "misshapen: a.in_proj_weight (24, 7) instead of (24, 8), a.in_proj_bias (8) instead of (24)");
  for (const std::string& name : before.names()) {
    const auto now = layer.state_dict();
    EXPECT_TRUE(std::equal(before.values(name).begin(), before.values(name).end(),
                           now.values(name).begin()));
  }
  EXPECT_THROW(layer.load_state_dict(state, "b."), attn::ShapeError);
}

TEST(MultiHeadErrors, NameTheOptionOrTheArgument) {
  const auto option = [](const attn::MultiHeadAttentionOptions& options) {
    return sentence_of<attn::OptionError>([&] { attn::MultiHeadAttention<float>{options}; });
  };
  EXPECT_EQ(option({.embed_dim = 64, .num_heads = 7}),
            "MultiHeadAttention: embed_dim = 64 must be a positive multiple of num_heads = 7");
  EXPECT_EQ(option({.embed_dim = 64, .num_heads = 0}),
            "MultiHeadAttention: num_heads = 0 must be at least 1");
  EXPECT_EQ(option({.embed_dim = 0, .num_heads = 1}),
            "MultiHeadAttention: embed_dim = 0 must be a positive multiple of num_heads = 1");
  EXPECT_EQ(option({.embed_dim = 64, .num_heads = 4, .num_kv_heads = 3}),
            "MultiHeadAttention: num_kv_heads = 3 must divide num_heads = 4");
  EXPECT_EQ(option({.embed_dim = 64, .num_heads = 4, .kdim = -2}),
            "MultiHeadAttention: kdim = -2 must be at least 1");
  const attn::MultiHeadAttention<float> layer({.embed_dim = 8, .num_heads = 2, .kdim = 4});
  using X = Tensor<float, 3>;
  const auto shape = [&](const X& q, const X& k, const X& v) {
    return sentence_of<attn::ShapeError>([&] { layer(q, k, v); });
  };
  EXPECT_EQ(shape(X({2, 5, 7}), X({2, 6, 4}), X({2, 6, 8})),
            "MultiHeadAttention: query (2, 5, 7) must be (2, 5, 8), the batch and length of what "
            "it goes with and embed_dim = 8");
  EXPECT_EQ(shape(X({2, 5, 8}), X({3, 6, 4}), X({2, 6, 8})),
            "MultiHeadAttention: key (3, 6, 4) must be (2, 6, 4), the batch and length of what it "
            "goes with and kdim = 4");
  EXPECT_EQ(shape(X({2, 5, 8}), X({2, 6, 4}), X({2, 5, 8})),
            "MultiHeadAttention: value (2, 5, 8) must be (2, 6, 8), the batch and length of what "
            "it goes with and vdim = 8");
}

TEST(MultiHeadBits, AreTheSameForAnyNumberOfThreads) {
  attn::Random random{6};
  const attn::MultiHeadAttention<float> layer({.embed_dim = 48, .num_heads = 6}, random);
  const auto x = normal<float, 3>(random, {3, 70, 48});
  attn::set_num_threads(1);
  const auto one = layer(x, x, x, attn::Causal{});
  for (const Index threads : {2, 3, 8}) {
    attn::set_num_threads(threads);
    EXPECT_TRUE(same_bits(layer(x, x, x, attn::Causal{}), one));
  }
  attn::set_executor(attn::Pool{});
}

}  // namespace
