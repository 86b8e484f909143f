// A few queries, as in decoding: bitwise what they get among many, and with any number of threads.
#include <gtest/gtest.h>
#include <attn/attention/scaled_dot_product.hpp>

#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Shape, attn::Tensor;

template <class T>
class FewQueries : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(FewQueries, Scalars);

struct Sizes {
  Index S, E, Ev;
};
const std::vector<Sizes> all_sizes{{1000, 64, 64}, {385, 20, 33}, {193, 7, 16},
                                   {200, 128, 40}, {1, 3, 24},    {577, 1, 1}};

TYPED_TEST(FewQueries, GetBitwiseWhatTheyGetAmongMany) {
  using T = TypeParam;
  attn::Random random{4};
  for (const auto& [S, E, Ev] : all_sizes) {
    const auto q = normal<T, 4>(random, {1, 2, 61, E}), k = normal<T, 4>(random, {1, 2, S, E}),
               v = normal<T, 4>(random, {1, 2, S, Ev});
    const auto expect_same_bits = [&, keys = S](const auto& rule) {
      const attn::ScaledDotProductAttention attend{{.align = attn::Align::lower_right}};
      const Tensor<T, 4> all = attend(q, k, v, rule);
      for (const Index L : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17}) {
        const Tensor<T, 4> last = attend(q.slice(2, 61 - L, 61), k, v, rule);
        EXPECT_TRUE(same_bits(last, all.slice(2, 61 - L, 61).copy())) << L << " of " << keys;
      }
    };
    expect_same_bits(attn::NoMask{});
    expect_same_bits(attn::Causal{});
    expect_same_bits(attn::Causal{} & attn::Softcap{3});
  }
}

TYPED_TEST(FewQueries, AreEquationOne) {
  using T = TypeParam;
  attn::Random random{5};
  for (const auto& [S, E, Ev] : all_sizes) {
    const auto q = normal<T, 4>(random, {2, 6, 1, E}), k = normal<T, 4>(random, {2, 2, S, E}),
               v = normal<T, 4>(random, {2, 2, S, Ev});
    PlainAttention plain;
    plain.run(q, k, v, 1 / std::sqrt(double(E)));
    EXPECT_LT(largest_gap(attn::ScaledDotProductAttention{}(q, k, v), plain.output),
              sizeof(T) == 4 ? 3e-6 : 1e-14);
  }
}

/// A rule of a user's, asked for one score at a time.
struct Odd {
  static constexpr bool same_for_heads = true;
  bool allows(attn::Position at) const { return (3 * at.query + at.key) % 5 != 1; }
};

/// The layouts in which layers and users pass heads: (B, H, L, E), or (B, L, H, E) in memory.
template <class U>
attn::TensorView<U, 4> heads_in(U* data, const Shape<4>& shape, bool rows_first) {
  const auto [B, H, L, E] = shape;
  if (rows_first) return {data, shape, {L * H * E, E, H * E, 1}};
  return {data, shape, {H * L * E, L * E, E, 1}};
}

/// The heads of a group are computed together: each gets what it gets by itself.
TYPED_TEST(FewQueries, GetBitwiseWhatTheirHeadGetsAlone) {
  using T = TypeParam;
  attn::Random random{9};
  const Index B = 2, S = 450, E = 20, Ev = 18;
  for (const Shape<2>& heads : {Shape<2>{6, 2}, Shape<2>{5, 1}, Shape<2>{4, 4}})
    for (const Index L : {1, 2, 4, 7, 16, 19, 33}) {
      const auto [H, G] = heads;
      const auto k = normal<T, 4>(random, {B, G, S, E}), v = normal<T, 4>(random, {B, G, S, Ev});
      const Tensor<T, 4> numbers = normal<T, 4>(random, {B, H, L, E});
      const auto expect_same_bits = [&, H = H, G = G](const auto& rule, const auto& rule_of_head) {
        const attn::ScaledDotProductAttention attend{{.align = attn::Align::lower_right}};
        for (const bool rows_first : {false, true}) {
          const auto q = heads_in(numbers.data(), numbers.shape(), rows_first);
          Tensor<T, 4> memory({B, H, L, Ev});
          const auto output = heads_in(memory.data(), memory.shape(), rows_first);
          attend.forward(attn::AttentionInputs<T>{q, k, v}, {output}, rule);
          for (Index h = 0; h < H; ++h) {
            const Index g = h * G / H;
            const Tensor<T, 4> alone =
                attend(q.slice(1, h, h + 1).copy(), k.slice(1, g, g + 1).copy(),
                       v.slice(1, g, g + 1).copy(), rule_of_head(h));
            ASSERT_TRUE(same_bits(output.slice(1, h, h + 1).copy(), alone))
                << "head " << h << " of " << H << ", L " << L;
          }
        }
      };
      const auto same = [&](const auto& rule) {
        expect_same_bits(rule, [&](Index) { return rule; });
      };
      same(attn::NoMask{});
      same(attn::Causal{});
      same(attn::SlidingWindow{.left = 200, .right = 3});
      same(attn::Padding{{S - 100, S - 1}} & attn::Causal{});
      same(attn::Causal{} & attn::Softcap{2});
      same(Odd{});
      std::vector<double> logits;
      for (Index h = 0; h < H; ++h) logits.push_back(0.5 * double(h));
      expect_same_bits(attn::Causal{} & attn::Sink{logits}, [&](Index h) {
        return attn::Causal{} & attn::Sink{logits[std::size_t(h)]};
      });
    }
}

/// The keys are divided between threads where there are few heads.
TYPED_TEST(FewQueries, AreBitwiseIdenticalForAnyNumberOfThreads) {
  using T = TypeParam;
  attn::Random random{6};
  const Index before = attn::num_threads();
  for (const Shape<2>& heads : {Shape<2>{1, 1}, Shape<2>{6, 2}, Shape<2>{40, 1}})
    for (const Index L : {1, 5, 30}) {
      const auto q = normal<T, 4>(random, {1, heads[0], L, 32}),
                 k = normal<T, 4>(random, {1, heads[1], 1300, 32});
      auto v = normal<T, 4>(random, {1, heads[1], 1300, 16});
      v(0, 0, 1290, 3) = std::numeric_limits<T>::infinity();  // in a tile of its own
      const attn::SlidingWindow rule{.left = 300, .right = 0, .align = attn::Align::lower_right};
      const attn::ScaledDotProductAttention attend;
      attn::set_num_threads(1);
      const auto alone = attend.with_log_sum_exp(q, k, v, rule);
      for (const Index threads : {2, 3, 7}) {
        attn::set_num_threads(threads);
        const auto together = attend.with_log_sum_exp(q, k, v, rule);
        EXPECT_TRUE(same_bits(together.output, alone.output)) << threads;
        EXPECT_TRUE(same_bits(together.log_sum_exp, alone.log_sum_exp)) << threads;
      }
    }
  attn::set_num_threads(before);
}

/// What the memory held before may be denormal numbers, which processors are slow with.
TYPED_TEST(FewQueries, LeaveLanesWithoutAQueryAtZero) {
  using T = TypeParam;
  using Kernel = attn::detail::native::FewQueries<T>;
  constexpr Index S = 100, E = 20, lanes = attn::detail::native::simd::lanes<T>;
  attn::Random random{8};
  const auto q = normal<T, 2>(random, {1, E}), k = normal<T, 2>(random, {S, E});
  std::vector<T> memory(std::size_t(Kernel::size(E)), std::numeric_limits<T>::denorm_min());
  std::vector<T> scores(std::size_t((S + lanes) * lanes), T(9)), largest(std::size_t{lanes}),
      O(std::size_t((E + lanes) * lanes));
  using Task = attn::HeadTask<T>;
  const attn::StridedRows<T> rows(k.view());
  const Task task{q.matrix(), rows, rows, T(1), 0, 0, 0, {0, S}, {}};
  const attn::detail::native::KeysAndValues<Task> tile{task, {0, S}};
  const Kernel few(1, memory.data());
  few.scores({q.data(), E, 1}, tile, scores.data(), largest.data());
  for (Index j = 0; j < S; ++j)
    for (Index lane = 1; lane < lanes; ++lane)
      ASSERT_EQ(scores[std::size_t(j * lanes + lane)], T(0)) << "key " << j << ", lane " << lane;
  const attn::detail::native::PanelRows<T> P{scores.data(), lanes, S};
  few.add_values(few.left_factor(P), tile, O.data(), {{T(1), T(1)}});
  for (Index e = 0; e < E; ++e)
    for (Index lane = 1; lane < lanes; ++lane)
      ASSERT_EQ(O[std::size_t(e * lanes + lane)], T(0)) << "column " << e << ", lane " << lane;
}

TYPED_TEST(FewQueries, MaskedKeysMayHoldAnything) {
  using T = TypeParam;
  attn::Random random{7};
  const auto q = normal<T, 4>(random, {1, 4, 1, 24});
  auto k = normal<T, 4>(random, {1, 1, 500, 24}), v = normal<T, 4>(random, {1, 1, 500, 24});
  const attn::Padding rule{{333}};
  const attn::ScaledDotProductAttention attend;
  const Tensor<T, 4> before = attend(q, k, v, rule);
  for (Index j = 333; j < 500; ++j)
    for (Index e = 0; e < 24; ++e) {
      k(0, 0, j, e) = std::numeric_limits<T>::quiet_NaN();
      v(0, 0, j, e) = std::numeric_limits<T>::infinity();
    }
  EXPECT_TRUE(same_bits(attend(q, k, v, rule), before));
}

}  // namespace
