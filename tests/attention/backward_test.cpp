#include <gtest/gtest.h>
#include <attn/attn.hpp>

#include "support/attention_cases.hpp"
#include "support/expect_error.hpp"
#include "support/tensors.hpp"

// The backward pass by tiles against that of the reference implementation, which is tested against
// finite differences and PyTorch elsewhere.
namespace {

using attn::Index, attn::Tensor;

template <class T>
struct Gradients {
  attn::Tensor<T, 4> query, key, value;

  template <class Kernel, class R>
  Gradients(const attn::ScaledDotProductAttention<Kernel>& attention,
            const attn::TensorView<const T, 4>& q, const attn::TensorView<const T, 4>& k,
            const attn::TensorView<const T, 4>& v, const R& rule,
            const attn::Tensor<T, 4>& d_output)
      : query(q.shape()), key(k.shape()), value(v.shape()) {
    const auto forward = attention.with_log_sum_exp(q, k, v, rule);
    attention.backward(attn::AttentionInputs<T>{q, k, v},
                       {forward.output, forward.log_sum_exp, d_output}, rule, {query, key, value});
  }
  Gradients(const attention_cases::Case<T>& c, const attention_cases::Attention<T>& attention,
            const attn::Tensor<T, 4>& d_output)
      : query(c.q.shape), key(c.k.shape), value(c.v.shape) {
    Tensor<T, 4> output(d_output.shape());
    Tensor<T, 3> log_sum_exp({c.shape.B, c.shape.H, c.shape.L});
    attention.forward({output, std::nullopt, log_sum_exp.view()});
    attention.backward({output, log_sum_exp, d_output}, {query, key, value});
  }
};

template <class T>
class Backward : public testing::Test {
 protected:
  void run(std::uint64_t number) {
    attention_cases::Case<T> c(number);
    c.with_attention([&](const auto& tiled) { compare(c, tiled); });
    if (this->HasFailure()) ADD_FAILURE() << "case " << number << ": " << c.describe();
  }

 private:
  void compare(attention_cases::Case<T>& c, const attention_cases::Attention<T>& tiled) {
    const auto [B, H, G, L, S, E, Ev] = c.shape;
    attn::Random random{std::uint64_t(L + S)};
    const auto d_output = normal<T, 4>(random, {B, H, L, Ev});
    const Gradients<T> got(c, tiled, d_output), wanted(c, c.reference(tiled.rule), d_output);
    const double tolerance = (sizeof(T) == 4 ? 1e-5 : 2e-14) * (3 + 2 * c.factor);
    EXPECT_TRUE(near(got.query, wanted.query, tolerance)) << "query";
    EXPECT_TRUE(near(got.key, wanted.key, tolerance)) << "key";
    EXPECT_TRUE(near(got.value, wanted.value, tolerance)) << "value";
    if (L == 0 || S == 0 || Ev == 0) return;

    // A key and a value that hold NaN and infinity: where they are masked the other gradients stay
    // bitwise the same, and their own are 0.
    const Index bad = random.index(S);
    for (Index b = 0; b < B; ++b)
      for (Index g = 0; g < G; ++g) {
        c.k.view().matrix(b, g).row(bad).setConstant(std::numeric_limits<T>::quiet_NaN());
        c.v.view().matrix(b, g)(bad, random.index(Ev)) = std::numeric_limits<T>::infinity();
      }
    const Gradients<T> poisoned(c, tiled, d_output);
    for (Index b = 0; b < B; ++b)
      for (Index g = 0; g < G; ++g) {
        bool seen = false;
        for (Index h = g * H / G; h < (g + 1) * H / G; ++h)
          for (Index i = 0; i < L; ++i) {
            const bool sees = tiled.rule.allows(attn::Position{b, h, i, bad});
            seen = seen || sees;
            ASSERT_TRUE(sees || E == 0 ||
                        std::memcmp(&got.query(b, h, i, 0), &poisoned.query(b, h, i, 0),
                                    std::size_t(E) * sizeof(T)) == 0)
                << "a masked key changes the gradient of query " << i << " of head " << h << " in "
                << b;
          }
        if (seen) continue;
        ASSERT_TRUE(same_bits(got.key[b][g].copy(), poisoned.key[b][g].copy()) &&
                    same_bits(got.value[b][g].copy(), poisoned.value[b][g].copy()));
        ASSERT_TRUE((poisoned.key.matrix(b, g).row(bad).array() == 0).all() &&
                    (poisoned.value.matrix(b, g).row(bad).array() == 0).all());
      }
  }

  static bool near(const Tensor<T, 4>& a, const Tensor<T, 4>& b, double tolerance) {
    double largest = 1;
    for (Index i = 0; i < b.size(); ++i) largest = std::max(largest, std::abs(double(b.data()[i])));
    for (Index i = 0; i < a.size(); ++i) {
      const double x = double(a.data()[i]), y = double(b.data()[i]);
      if (std::abs(x - y) <= tolerance * largest || (x != x && y != y)) continue;
      ADD_FAILURE() << "at " << i << ": " << x << " instead of " << y << ", the largest "
                    << largest;
      return false;
    }
    return true;
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Backward, Scalars);

TYPED_TEST(Backward, ByTilesIsThatOfTheReference) {
  if (const char* one = std::getenv("ATTN_CASE")) return this->run(std::strtoull(one, nullptr, 10));
  for (std::uint64_t number = 0; number < attention_cases::how_many() / 16 && !this->HasFailure();
       ++number)
    this->run(number);
}

TYPED_TEST(Backward, IsBitwiseIdenticalForAnyThreadsAndBatch) {
  using T = TypeParam;
  attn::Random random{1};
  // Several segments of keys: with one sequence they are computed apart, with nine they are not.
  const Index B = 9, H = 4, L = 37, S = 1100, E = 6;
  const auto q = normal<T, 4>(random, {B, H, L, E}), k = normal<T, 4>(random, {B, H, S, E}),
             v = normal<T, 4>(random, {B, H, S, E}), d = normal<T, 4>(random, {B, H, L, E});
  const auto of = [&](Index first, Index n) {
    const auto part = [&](const attn::Tensor<T, 4>& x) { return x.slice(0, first, first + n); };
    return Gradients<T>(attn::ScaledDotProductAttention{}, part(q), part(k), part(v),
                        attn::Softcap{3}, part(d).copy());
  };
  attn::set_num_threads(1);
  const auto one = of(0, B);
  for (const Index threads : {2, 3, 8}) {
    attn::set_num_threads(threads);
    const auto all = of(0, B), some = of(3, 1);
    EXPECT_TRUE(same_bits(all.query, one.query) && same_bits(all.key, one.key) &&
                same_bits(all.value, one.value))
        << threads;
    EXPECT_TRUE(same_bits(some.query[0].copy(), one.query[3].copy()) &&
                same_bits(some.key[0].copy(), one.key[3].copy()))
        << threads;
  }
  attn::set_executor(attn::Pool{});
}

TEST(BackwardMeaning, OfAQueryThatAttendsToNothingIsZero) {
  attn::Random random{2};
  const auto q = normal<float, 4>(random, {1, 2, 5, 8}), k = normal<float, 4>(random, {1, 2, 7, 8}),
             v = normal<float, 4>(random, {1, 2, 7, 8}), d = normal<float, 4>(random, {1, 2, 5, 8});
  attn::Tensor<bool, 2> mask({5, 7});
  for (Index i = 0; i < 5; ++i)
    for (Index j = 0; j < 7; ++j) mask(i, j) = i != 2 && j != 4;
  const Gradients<float> got(attn::ScaledDotProductAttention{}, q.view(), k.view(), v.view(),
                             attn::Keep{mask}, d);
  for (Index h = 0; h < 2; ++h) {
    EXPECT_TRUE((got.query.matrix(0, h).row(2).array() == 0).all());
    EXPECT_TRUE((got.key.matrix(0, h).row(4).array() == 0).all() &&
                (got.value.matrix(0, h).row(4).array() == 0).all());
    EXPECT_TRUE((got.query.matrix(0, h).row(1).array() != 0).all());
  }
}

TEST(BackwardMeaning, OfAQueryThatHoldsNaNReachesOnlyWhatItAttendsTo) {
  attn::Random random{3};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  auto q = normal<float, 4>(random, {1, 1, 5, 8}), d = normal<float, 4>(random, {1, 1, 5, 8});
  const auto k = normal<float, 4>(random, {1, 1, 7, 8}), v = normal<float, 4>(random, {1, 1, 7, 8});
  attn::Tensor<bool, 2> mask({5, 7});
  for (Index i = 0; i < 5; ++i)
    for (Index j = 0; j < 7; ++j)
      mask(i, j) =
          i != 2 && (i != 3 || j > 4);  // query 2 attends to nothing, query 3 to the last keys
  const auto of = [&](const auto& attention) {
    return Gradients<float>(attention, std::as_const(q).view(), k.view(), v.view(),
                            attn::Keep{mask}, d);
  };
  const auto clean = of(attn::ScaledDotProductAttention{});
  q.matrix(0, 0).row(2).setConstant(nan);
  d.matrix(0, 0).row(2).setConstant(nan);
  const auto dead = of(attn::ScaledDotProductAttention{});
  EXPECT_LT((dead.key.flat() - clean.key.flat()).cwiseAbs().maxCoeff(), 1e-5f);
  EXPECT_LT((dead.value.flat() - clean.value.flat()).cwiseAbs().maxCoeff(), 1e-5f);
  EXPECT_TRUE((dead.query.matrix(0, 0).row(2).array() == 0).all());
  q.matrix(0, 0).row(3).setConstant(nan);
  const auto got = of(attn::ScaledDotProductAttention{}),
             wanted = of(attn::ScaledDotProductAttention{{}, attn::Reference{}});
  for (Index j = 0; j < 7; ++j) {
    EXPECT_EQ(got.key.matrix(0, 0).row(j).hasNaN(), j > 4) << j;
    EXPECT_EQ(got.value.matrix(0, 0).row(j).hasNaN(), j > 4) << j;
    EXPECT_EQ(wanted.key.matrix(0, 0).row(j).hasNaN(), j > 4) << j;
  }
}

/// Masks by its score alone, with nothing that says so.
struct FirstKeys {
  Index count;
  template <class T>
  T score(T s, attn::Position at) const {
    return at.key < count ? s : T(-std::numeric_limits<double>::infinity());
  }
};

TEST(BackwardMeaning, OfAScoreOfMinusInfinityIsThatOfAMask) {
  attn::Random random{4};
  const auto q = normal<float, 4>(random, {1, 1, 5, 8}), d = normal<float, 4>(random, {1, 1, 5, 8});
  auto k = normal<float, 4>(random, {1, 1, 7, 8}), v = normal<float, 4>(random, {1, 1, 7, 8});
  const auto of = [&](const auto& rule) {
    return Gradients<float>(attn::ScaledDotProductAttention{}, q.view(), std::as_const(k).view(),
                            std::as_const(v).view(), rule, d);
  };
  k.matrix(0, 0).bottomRows(3).setConstant(std::numeric_limits<float>::quiet_NaN());
  v.matrix(0, 0).bottomRows(3).setConstant(std::numeric_limits<float>::infinity());
  const auto by_score = of(FirstKeys{4}), by_mask = of(attn::Padding{{4}});
  EXPECT_TRUE(same_bits(by_score.query, by_mask.query) && same_bits(by_score.key, by_mask.key) &&
              same_bits(by_score.value, by_mask.value));
  EXPECT_TRUE(by_score.query.flat().allFinite());
}

TEST(BackwardMeaning, OfShapesThatDoNotFitIsASentence) {
  const attn::Tensor<float, 4> q({1, 2, 5, 8});
  attn::Tensor<float, 4> o(q.shape()), d(q.shape()), small({1, 2, 4, 8});
  attn::Tensor<float, 3> sums({1, 2, 5}), few({1, 2, 4});
  const attn::ScaledDotProductAttention attend;
  EXPECT_EQ(
      sentence_of<attn::ShapeError>([&] {
        attend.forward(attn::AttentionInputs<float>{q, q, q}, {o, std::nullopt, few.view()});
      }),
      "ScaledDotProductAttention: log_sum_exp (1, 2, 4) must have the shape (B, H, L) = (1, 2, 5)");
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] {
              attend.backward(attn::AttentionInputs<float>{q, q, q}, {o, sums, small},
                              attn::NoMask{}, {d, d, d});
            }),
            "ScaledDotProductAttention: d_output (1, 2, 4, 8) must have the shape (1, 2, 5, 8)");
}

TEST(BackwardMeaning, OfEmptyShapesIsZero) {
  const attn::Tensor<float, 4> q({1, 2, 5, 8}), none({1, 2, 0, 8}), k({1, 2, 7, 8});
  const Gradients<float> no_keys(attn::ScaledDotProductAttention{}, q.view(), none.view(),
                                 none.view(), attn::NoMask{}, q);
  EXPECT_TRUE((no_keys.query.flat().array() == 0).all());
  const Gradients<float> no_queries(attn::ScaledDotProductAttention{}, none.view(), k.view(),
                                    k.view(), attn::NoMask{}, none);
  EXPECT_TRUE((no_queries.key.flat().array() == 0).all() &&
              (no_queries.value.flat().array() == 0).all());
}

TEST(DroppedWeights, OfProbabilityOneGiveZeroAndZeroGradients) {
  attn::Random draws{6};
  const auto q = normal<float, 4>(draws, {1, 2, 37, 9}), k = normal<float, 4>(draws, {1, 2, 50, 9}),
             v = normal<float, 4>(draws, {1, 2, 50, 9});
  const auto run = [&](const auto& kernel) {
    attn::Random random{3};
    const attn::AttentionInputs<float> inputs{
        q, k, v, attn::WeightDropout<float>(1.0, {1, 2, 37, 50}, random)};
    Tensor<float, 4> o(q.shape()), dq(q.shape()), dk(k.shape()), dv(v.shape());
    for (auto* x : {&o, &dq, &dk, &dv}) x->flat().setConstant(1);
    Tensor<float, 3> log_sum_exp({1, 2, 37});
    const attn::ScaledDotProductAttention attend({.dropout = 1.0}, kernel);
    attend.forward(inputs, {o, std::nullopt, log_sum_exp.view()});
    attend.backward(inputs, {o, log_sum_exp, q}, attn::NoMask{}, {dq, dk, dv});
    for (const auto* x : {&o, &dq, &dk, &dv}) EXPECT_EQ(x->flat().cwiseAbs().maxCoeff(), 0.0f);
  };
  run(attn::Tiled{});
  run(attn::Reference{});
}

TEST(DroppedWeights, AreTheSameInBothKernels) {
  attn::Random draws{5};
  const auto q = normal<float, 4>(draws, {2, 3, 37, 9}),
             k = normal<float, 4>(draws, {2, 3, 210, 9}),
             v = normal<float, 4>(draws, {2, 3, 210, 5});
  const auto expect_same = [&](const auto& rule) {
    const auto with = [&](const auto& attention) {
      attn::Random random{3};
      attn::Tape<float> tape{random};
      return attention(tape.constant(q), tape.constant(k), tape.constant(v), rule).value();
    };
    const auto tiled = with(attn::ScaledDotProductAttention{{.dropout = 0.4}}),
               plain = with(attn::ScaledDotProductAttention{{.dropout = 0.4}, attn::Reference{}});
    EXPECT_LT((tiled.flat() - plain.flat()).cwiseAbs().maxCoeff(), 1e-5f);
  };
  expect_same(attn::Padding{{210, 7}});
  // The first keys of the first tile are masked for all queries.
  expect_same(attn::SlidingWindow{.left = 20, .right = 10, .align = attn::Align::lower_right});
}

}  // namespace
