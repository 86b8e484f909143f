// Attention to what a KV cache keeps, against attention to the same numbers in a tensor.
#include <gtest/gtest.h>
#include <attn/attention/scaled_dot_product.hpp>
#include <attn/nn/multi_head_attention.hpp>
#include <attn/rules/alibi.hpp>

#include "support/expect_error.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Storage, attn::Tensor;
using Storages = std::optional<Storage>;

const Index H = 6, G = 2, E = 19, Ev = 21;
const Storages storages[] = {std::nullopt, Storage::bfloat16, Storage::float16, Storage::int8};

/// (B, S, G·d) as (B, G, S, d), as numbers that are stored in a cache.
template <class T>
Tensor<T, 4> as_stored(const Tensor<T, 3>& x, Storages storage) {
  const auto [B, S, width] = x.shape();
  const Index d = width / G;
  Tensor<T, 4> heads({B, G, S, d});
  for (Index b = 0; b < B; ++b)
    for (Index g = 0; g < G; ++g)
      for (Index j = 0; j < S; ++j)
        for (Index e = 0; e < d; ++e) heads(b, g, j, e) = x(b, j, g * d + e);
  if (storage == Storage::bfloat16) return attn::cast<T>(attn::cast<attn::bfloat16>(heads));
  if (storage == Storage::float16) return attn::cast<T>(attn::cast<attn::float16>(heads));
  if (storage == Storage::int8) return attn::dequantize(attn::quantize<std::int8_t>(heads));
  return heads;
}

template <class T>
class KeyValueCache : public testing::Test {
 protected:
  attn::Random random{7};
  Tensor<T, 3> keys, values;
  Tensor<T, 4> K, V;  ///< as the cache stores them

  /// A cache of two sequences that has grown by some positions at a time.
  attn::KeyValueCache<T> grown(Index S, Storages storage) {
    keys = normal<T, 3>(random, {2, S, G * E});
    values = normal<T, 3>(random, {2, S, G * Ev});
    attn::KeyValueCache<T> cache({2, S + 5}, {G, E, Ev}, {.storage = storage});
    for (Index j = 0; j < S;) {
      const Index end = std::min(S, j + 1 + random.index(70));
      cache.append(keys.slice(1, j, end).copy().view(), values.slice(1, j, end).copy().view());
      j = end;
    }
    K = as_stored(keys, storage);
    V = as_stored(values, storage);
    return cache;
  }

  template <class Kernel, class Rule>
  void expect_equal(const attn::KeyValueCache<T>& cache, Index L, const Rule& rule) {
    const attn::ScaledDotProductAttention<Kernel> attend({.align = attn::Align::lower_right});
    const auto q = normal<T, 4>(random, {2, H, L, E});
    const auto cached_K = cache.keys({0, 2});
    const auto cached_V = cache.values({0, 2});
    const auto [output, weights] = attend.with_weights(q, K, V, rule);
    EXPECT_TRUE(same_bits(attend(q, cached_K, cached_V, rule), output))
        << "L " << L << ", S " << K.shape()[2];
    EXPECT_TRUE(same_bits(attend(q, cached_K, V, rule), output));
    EXPECT_TRUE(same_bits(attend(q, K, cached_V, rule), output));
    EXPECT_TRUE(same_bits(attend.with_weights(q, cached_K, cached_V, rule).weights, weights));
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(KeyValueCache, Scalars);

TYPED_TEST(KeyValueCache, IsAttendedToBitwiseAsATensorIs) {
  for (const Storages& storage : storages)
    for (const Index S : {1, 47, 48, 49, 210, 400}) {
      const auto cache = this->grown(S, storage);
      for (const Index L : {1, 3, 16, 17, 48, 60, 100}) {
        if (L > S) continue;
        this->template expect_equal<attn::Tiled>(cache, L, attn::NoMask{});
        this->template expect_equal<attn::Tiled>(cache, L, attn::Causal{} & attn::Softcap{5});
        this->template expect_equal<attn::Tiled>(cache, L, attn::SlidingWindow{.left = 30});
        this->template expect_equal<attn::Tiled>(
            cache, L, attn::Padding{{S / 2, S}} & attn::Alibi(std::vector<double>(H, 0.03)));
      }
      this->template expect_equal<attn::Reference>(cache, 1, attn::Causal{});
    }
}

/// The heads of one sequence, and those of a range of its positions, which begins within a block.
TYPED_TEST(KeyValueCache, HasPartsThatAreAttendedToAlone) {
  for (const Storages& storage : storages) {
    const auto cache = this->grown(300, storage);
    const attn::ScaledDotProductAttention attend;
    for (const Index L : {1, 5, 70}) {
      const auto q = normal<TypeParam, 4>(this->random, {1, H, L, E});
      for (const auto& range : {attn::Range{0, 300}, {48, 250}, {31, 290}, {191, 193}}) {
        const auto part = [&](const Tensor<TypeParam, 4>& x) {
          return x.slice(0, 1, 2).slice(2, range.begin, range.end);
        };
        EXPECT_TRUE(
            same_bits(attend(q, cache.keys({1, 2}).part(range), cache.values({1, 2}).part(range)),
                      attend(q, part(this->K), part(this->V))))
            << "L " << L << ", keys from " << range.begin;
      }
    }
  }
}

/// What is not finite counts where it is attended to, and nowhere else.
TYPED_TEST(KeyValueCache, MayHoldWhatIsNotFinite) {
  constexpr auto infinity = std::numeric_limits<TypeParam>::infinity();
  for (const Storages& storage : storages) {
    this->grown(250, storage);
    for (const Index j : {20, 100, 249}) {
      this->keys(0, j, 3) = infinity;
      this->values(1, j, 2) = -infinity;
    }
    attn::KeyValueCache<TypeParam> cache({2, 250}, {G, E, Ev}, {.storage = storage});
    cache.append(this->keys.view(), this->values.view());
    this->K = as_stored(this->keys, storage);
    this->V = as_stored(this->values, storage);
    for (const Index L : {1, 40}) {
      this->template expect_equal<attn::Tiled>(cache, L, attn::Padding{{90, 20}});
      this->template expect_equal<attn::Tiled>(cache, L, attn::SlidingWindow{.left = 60});
    }
  }
}

/// A copy, a selection and a truncated cache have the same rows.
TYPED_TEST(KeyValueCache, IsCopiedByBlocks) {
  for (const Storages& storage : storages) {
    auto cache = this->grown(130, storage);
    const auto rows = [](const attn::KeyValueCache<TypeParam>& of, Index b) {
      const auto key_heads = of.keys({b, b + 1});
      std::vector<TypeParam> all;
      for (Index g = 0; g < G; ++g)
        for (Index j = 0; j < of.length(b); ++j)
          for (Index e = 0; e < E; ++e) all.push_back(key_heads.rows(0, g)(j, e));
      return all;
    };
    const auto first = rows(cache, 0), second = rows(cache, 1);
    const attn::KeyValueCache<TypeParam> copy = cache;
    EXPECT_EQ(rows(copy, 1), second);
    cache.select({1, 0});
    EXPECT_EQ(rows(cache, 0), second);
    EXPECT_EQ(rows(cache, 1), first);
    cache.select({1, 0});
    cache.truncate(50);
    cache.append(this->keys.slice(1, 50, 130).copy().view(),
                 this->values.slice(1, 50, 130).copy().view());
    EXPECT_EQ(rows(cache, 0), first);
    EXPECT_EQ(rows(cache, 1), second);
  }
}

TYPED_TEST(KeyValueCache, NamesASequenceThatItDoesNotHave) {
  using Cache = attn::KeyValueCache<TypeParam>;
  const Cache cache = this->grown(10, std::nullopt);
  const std::string wanted =
      "KeyValueCache: sequence 2 must be at least 0 and less than the number of sequences, 2";
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { cache.length(2); }), wanted);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { cache.first(2); }), wanted);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { cache.keys({1, 3}); }), wanted);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { cache.values({2, 3}); }), wanted);
  const Cache uneven = Cache::join({cache, [&] {
                                      Cache shorter = cache;
                                      shorter.truncate(4);
                                      return shorter;
                                    }()});
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              uneven.keys({0, 4});
            }),
            "KeyValueCache: sequence 2 has 4 positions; it must have as many as sequence 0, 10");
}

struct ThrowingRule {
  bool allows(attn::Position) const { throw std::runtime_error("no"); }
};

/// A step that throws leaves the cache as it was.
TEST(MultiHeadAttentionStep, ThatThrowsAppendsNothing) {
  attn::Random random{1};
  const attn::MultiHeadAttention<float> layer({.embed_dim = 8, .num_heads = 2}, random);
  auto cache = layer.cache(2, 10);
  const auto x = normal<float, 3>(random, {2, 3, 8});
  layer.step(x, cache);
  EXPECT_THROW(layer.step(x, cache, ThrowingRule{}), std::runtime_error);
  EXPECT_EQ(cache.length(), 3);
  EXPECT_THROW(layer.step(normal<float, 3>(random, {2, 8, 8}), cache), attn::ShapeError);
  EXPECT_EQ(cache.length(), 3);
}

}  // namespace
