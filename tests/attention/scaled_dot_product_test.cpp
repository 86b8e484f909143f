#include <gtest/gtest.h>
#include <attn/attention/scaled_dot_product.hpp>

#include "support/expect_error.hpp"
#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor, attn::TensorView;

template <class T>
class ScaledDotProduct : public testing::Test {
 protected:
  attn::Random random{42};
  static constexpr double tolerance = std::is_same_v<T, double> ? 1e-13 : 3e-6;
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ScaledDotProduct, Scalars);

TYPED_TEST(ScaledDotProduct, IsEquationOne) {
  using T = TypeParam;
  for (const auto& [B, H, L, S, E, Ev] : std::vector<std::array<Index, 6>>{
           {1, 1, 1, 1, 1, 1}, {2, 3, 5, 7, 8, 6}, {1, 2, 17, 33, 20, 3}, {2, 1, 64, 3, 1, 65}}) {
    const auto q = normal<T, 4>(this->random, {B, H, L, E}),
               k = normal<T, 4>(this->random, {B, H, S, E}),
               v = normal<T, 4>(this->random, {B, H, S, Ev});
    PlainAttention plain;
    plain.run(q, k, v, 1 / std::sqrt(double(E)));
    EXPECT_LT(largest_gap(attn::ScaledDotProductAttention{}(q, k, v), plain.output),
              this->tolerance);
    const auto [output, weights] = attn::ScaledDotProductAttention{}.with_weights(q, k, v);
    EXPECT_LT(largest_gap(weights, plain.weights), this->tolerance);
    const auto with_sum = attn::ScaledDotProductAttention{}.with_log_sum_exp(q, k, v);
    EXPECT_LT(largest_gap(with_sum.log_sum_exp, plain.log_sum_exp), this->tolerance);
    EXPECT_TRUE(same_bits(with_sum.output, output));
    plain.run(q, k, v, 0.37);
    EXPECT_LT(largest_gap(attn::ScaledDotProductAttention{{.scale = 0.37}}(q, k, v), plain.output),
              this->tolerance);
  }
}

TYPED_TEST(ScaledDotProduct, FollowsEveryRule) {
  using T = TypeParam;
  const Index B = 2, H = 4, L = 6, S = 6, E = 8;
  const auto q = normal<T, 4>(this->random, {B, H, L, E}),
             k = normal<T, 4>(this->random, {B, H, S, E}),
             v = normal<T, 4>(this->random, {B, H, S, E});
  Tensor<bool, 4> mask({B, 1, L, S});
  for (Index i = 0; i < mask.size(); ++i) mask.data()[i] = this->random.index(3) > 0;
  const auto bias = normal<T, 4>(this->random, {1, H, L, S});
  const std::vector<double> slopes = attn::Alibi::slopes(H);
  const auto expect = [&](const auto& rule, PlainAttention plain) {
    plain.run(q, k, v, 1 / std::sqrt(8.0));
    EXPECT_LT(largest_gap(attn::ScaledDotProductAttention{}(q, k, v, rule), plain.output),
              this->tolerance);
    EXPECT_LT(largest_gap(attn::ScaledDotProductAttention{}.with_weights(q, k, v, rule).weights,
                          plain.weights),
              this->tolerance);
  };
  expect(attn::Causal{}, {.allows = [](Index, Index, Index i, Index j) { return j <= i; }});
  expect(attn::Padding{{6, 2}},
         {.allows = [](Index b, Index, Index, Index j) { return j < (b == 0 ? 6 : 2); }});
  expect(attn::SlidingWindow{.left = 1, .right = 2},
         {.allows = [](Index, Index, Index i, Index j) { return j >= i - 1 && j <= i + 2; }});
  expect(attn::Keep{mask},
         {.allows = [&](Index b, Index, Index i, Index j) { return mask(b, 0, i, j); }});
  expect(attn::Bias{bias}, {.score = [&](double s, Index, Index h, Index i, Index j) {
           return s + double(bias(0, h, i, j));
         }});
  expect(attn::Softcap{1.5},
         {.score = [](double s, Index, Index, Index, Index) { return 1.5 * std::tanh(s / 1.5); }});
  expect(attn::Alibi{slopes} & attn::Causal{},
         {.allows = [](Index, Index, Index i, Index j) { return j <= i; },
          .score =
              [&](double s, Index, Index h, Index i, Index j) {
                return s - std::pow(2.0, -2.0 * double(h + 1)) * std::abs(double(i - j));
              }});
}

TYPED_TEST(ScaledDotProduct, TakesGroupedQueryAttentionWithoutCopies) {
  using T = TypeParam;
  const auto q = normal<T, 4>(this->random, {2, 6, 3, 4}),
             k = normal<T, 4>(this->random, {2, 2, 5, 4}),
             v = normal<T, 4>(this->random, {2, 2, 5, 7});
  PlainAttention plain;  // its head h reads key head h / (H/G): 0 0 0 1 1 1
  EXPECT_LT(largest_gap(attn::ScaledDotProductAttention{}(q, k, v), plain.run(q, k, v, 0.5).output),
            this->tolerance);
}

TYPED_TEST(ScaledDotProduct, TakesEigenMatricesOfBothOrdersMapsBlocksAndExpressions) {
  using T = TypeParam;
  using Columns = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
  using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Rows Q(6, 16), K(9, 16), V(9, 8);
  for (auto* m : {&Q, &K, &V}) {
    Tensor<T, 2> values({m->rows(), m->cols()});
    this->random.normal(values);
    *m = values.matrix();
  }
  Columns P = (Q * K.transpose() / T(4)).array().exp();
  P.array().colwise() /= P.rowwise().sum().array();
  const Columns expected = P * V;
  const attn::ScaledDotProductAttention attend;
  const auto near = [&](const Columns& got) {
    return got.rows() == expected.rows() && got.cols() == expected.cols() &&
           double((got - expected).cwiseAbs().maxCoeff()) < 1e-5;
  };
  const Columns q = Q, k = K, v = V;
  EXPECT_TRUE(near(attend(Q, K, V)));
  EXPECT_TRUE(near(attend(q, k, v)));
  EXPECT_TRUE(near(attend(q, K, T(1) * v)));
  EXPECT_TRUE(near(attend(q.array(), K.array() + T(0), V)));
  EXPECT_TRUE(near(attend(Eigen::Map<const Rows>(Q.data(), 6, 16), K, V)));
  Columns wide(9, 40);
  wide.middleCols(7, 16) = K;
  EXPECT_TRUE(near(attend(Q, wide.middleCols(7, 16), V)));
  const Eigen::Matrix<T, 6, 16> fixed = Q;
  EXPECT_TRUE(near(attend(fixed, K, V)));
  static_assert(std::is_same_v<decltype(attend(q, K, V)), Columns> &&
                    std::is_same_v<decltype(attend(Q, k, v)), Rows>,
                "the query's order comes back");

  Columns out_columns(6, 8);
  Rows out_rows(6, 8), larger = Rows::Zero(10, 12);
  attend.into(out_columns, Q, K, V);
  attend.into(out_rows, Q, K, V);
  attend.into(larger.block(1, 2, 6, 8), Q, K, V);
  EXPECT_TRUE(near(out_columns) && near(out_rows) && near(larger.block(1, 2, 6, 8)));
  EXPECT_EQ(larger.row(0).norm() + larger.row(7).norm() + larger.leftCols(2).norm(), 0)
      << "nothing beside the block is touched";
  Columns wrong(5, 8);
  EXPECT_THROW(attend.into(wrong, Q, K, V), attn::ShapeError);

  const auto [output, weights] = attend.with_weights(q, K, V);
  EXPECT_TRUE(near(output) && double((weights - P).cwiseAbs().maxCoeff()) < 1e-5);
  const Eigen::Matrix<T, Eigen::Dynamic, 1> column_q = Q.col(0), column_k = K.col(0);
  Columns P1 = (column_q * column_k.transpose()).array().exp();
  P1.array().colwise() /= P1.rowwise().sum().array();
  EXPECT_LT(double((attend(column_q, column_k, V) - P1 * V).cwiseAbs().maxCoeff()), 1e-5)
      << "E = 1, as a vector";
}

TYPED_TEST(ScaledDotProduct, TakesViewsWithStridesAndFewerAxes) {
  using T = TypeParam;
  const auto packed = normal<T, 3>(this->random, {2, 5, 24});  // (B, L, H·E): heads are views of it
  const TensorView<const T, 4> heads(packed.data(), {2, 3, 5, 8}, {120, 8, 24, 1});
  const Tensor<T, 4> copied = heads.copy();
  const attn::ScaledDotProductAttention attend;
  const Tensor<T, 4> expected = attend(copied, copied, copied, attn::Causal{});
  EXPECT_TRUE(same_bits(attend(heads, heads, heads, attn::Causal{}), expected));
  const Tensor<T, 3> three = attend(copied[1], heads[1], copied[1], attn::Causal{});
  EXPECT_TRUE(same_bits(three, expected[1].copy()));
  const Tensor<T, 2> two = attend(copied[1][2], heads[1][2], copied[1][2], attn::Causal{});
  EXPECT_TRUE(same_bits(two, expected[1][2].copy()));
  Tensor<T, 3> target({2, 5, 24});
  attend.into(TensorView<T, 4>(target.data(), {2, 3, 5, 8}, {120, 8, 24, 1}), heads, heads, heads,
              attn::Causal{});
  EXPECT_TRUE(
      (TensorView<const T, 4>(target.data(), {2, 3, 5, 8}, {120, 8, 24, 1}) == expected.view()));
}

TEST(ScaledDotProductErrors, NameTheArgumentThatDoesNotFit) {
  const Tensor<float, 4> q({2, 8, 16, 64}), k({2, 8, 16, 64}), v({2, 8, 16, 64});
  const attn::ScaledDotProductAttention attend;
  const auto sentence = [&](const auto&... arguments) {
    return sentence_of<attn::ShapeError>([&] { attend(arguments...); });
  };
  using F = Tensor<float, 4>;
  EXPECT_EQ(
      sentence(q, F({2, 8, 16, 32}), v),
      "ScaledDotProductAttention: key (2, 8, 16, 32) must have query's head dimension E = 64");
  EXPECT_EQ(sentence(q, F({3, 8, 16, 64}), v),
            "ScaledDotProductAttention: key (3, 8, 16, 64) must have query's batch B = 2");
  EXPECT_EQ(sentence(q, F({2, 3, 16, 64}), v),
            "ScaledDotProductAttention: key (2, 3, 16, 64) must have a number of heads G that "
            "divides query's H = 8");
  EXPECT_EQ(sentence(q, F({2, 0, 16, 64}), v),
            "ScaledDotProductAttention: key (2, 0, 16, 64) must have a number of heads G that "
            "divides query's H = 8");
  EXPECT_EQ(sentence(q, k, F({1, 8, 16, 64})),
            "ScaledDotProductAttention: value (1, 8, 16, 64) must have key's batch B = 2");
  EXPECT_EQ(
      sentence(q, k, F({2, 4, 16, 64})),
      "ScaledDotProductAttention: value (2, 4, 16, 64) must have key's number of heads G = 8");
  EXPECT_EQ(sentence(q, k, F({2, 8, 15, 64})),
            "ScaledDotProductAttention: value (2, 8, 15, 64) must have key's length S = 16");
  F output({2, 8, 16, 63});
  output.flat().setConstant(5);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { attend.into(output, q, k, v); }),
            "ScaledDotProductAttention: output (2, 8, 16, 63) must have the shape (B, H, L, Ev) = "
            "(2, 8, 16, 64)");
  EXPECT_EQ(output.flat().minCoeff(), 5) << "nothing is written";
  EXPECT_EQ(sentence_of<attn::OptionError>(
                [&] { attn::ScaledDotProductAttention{{.scale = std::nan("")}}(q, k, v); }),
            "ScaledDotProductAttention: scale = nan must be finite");
  EXPECT_EQ(sentence_of<attn::OptionError>(
                [&] { attn::ScaledDotProductAttention{{.scale = 1e39}}(q, k, v); }),
            "ScaledDotProductAttention: scale = 1e+39 must be finite as a float");
  EXPECT_EQ(sentence_of<attn::OptionError>(
                [&] { attn::ScaledDotProductAttention{{.dropout = 1.5}}(q, k, v); }),
            "ScaledDotProductAttention: dropout = 1.5 must be at least 0 and at most 1");
}

TEST(ScaledDotProductErrors, RefuseAnOutputThatOverlapsAnOperand) {
  Tensor<float, 4> q({1, 2, 5, 8}), k({1, 2, 5, 8}), v({1, 2, 5, 8});
  Tensor<float, 3> log_sum_exp({1, 2, 5});
  const attn::ScaledDotProductAttention attend;
  const auto sentence = [](auto&& call) { return sentence_of<attn::ShapeError>(call); };
  EXPECT_EQ(sentence([&] { attend.into(q, q, k, v); }),
            "ScaledDotProductAttention: output (1, 2, 5, 8) must not overlap query (1, 2, 5, 8) in "
            "memory");
  EXPECT_EQ(sentence([&] { attend.into(v, q, k, v); }),
            "ScaledDotProductAttention: output (1, 2, 5, 8) must not overlap value (1, 2, 5, 8) in "
            "memory");
  std::vector<float> memory(100);
  const TensorView<float, 4> first(memory.data(), {1, 1, 3, 8}),
      shifted(memory.data() + 23, {1, 1, 3, 8}), behind(memory.data() + 24, {1, 1, 3, 8});
  EXPECT_EQ(sentence([&] { attend.into(shifted, k.slice(1, 0, 1), first, first); }),
            "ScaledDotProductAttention: output (1, 1, 3, 8) must have the shape (B, H, L, Ev) = "
            "(1, 1, 5, 8)");
  EXPECT_EQ(sentence([&] { attend.into(shifted, behind, first, first); }),
            "ScaledDotProductAttention: output (1, 1, 3, 8) must not overlap query (1, 1, 3, 8) in "
            "memory");
  attend.into(behind, first, first, first);
  EXPECT_EQ(sentence([&] {
              attend.forward(attn::AttentionInputs<float>{q, k, v},
                             {Tensor<float, 4>(q.shape()), std::nullopt,
                              TensorView<float, 3>(k.data() + 70, {1, 2, 5})});
            }),
            "ScaledDotProductAttention: log_sum_exp (1, 2, 5) must not overlap key (1, 2, 5, 8) in "
            "memory");
  Tensor<float, 4> output(q.shape()), weights({1, 2, 5, 5});
  const attn::AttentionInputs<float> inputs{q, k, v};
  EXPECT_EQ(sentence([&] {
              attend.forward(inputs, {output, TensorView<float, 4>(output.data(), {1, 2, 5, 5})});
            }),
            "ScaledDotProductAttention: weights (1, 2, 5, 5) must not overlap output (1, 2, 5, 8) "
            "in memory");
  EXPECT_EQ(sentence([&] {
              attend.forward(inputs, {output, weights.view(),
                                      TensorView<float, 3>(weights.data() + 49, {1, 2, 5})});
            }),
            "ScaledDotProductAttention: log_sum_exp (1, 2, 5) must not overlap weights "
            "(1, 2, 5, 5) in memory");
  EXPECT_EQ(
      sentence([&] {
        attend.forward(inputs, {TensorView<float, 4>(output.data(), output.shape(), {0, 0, 0, 1})});
      }),
      "ScaledDotProductAttention: output (1, 2, 5, 8) must not overlap itself: its stride "
      "along axis 1 is 0");
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> X(4, 6);
  X.setZero();
  EXPECT_EQ(sentence([&] { attend.into(X, X, X, X); }),
            "ScaledDotProductAttention: output (1, 1, 4, 6) must not overlap query (1, 1, 4, 6) in "
            "memory");
}

}  // namespace
