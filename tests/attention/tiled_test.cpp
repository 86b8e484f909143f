#include <gtest/gtest.h>
#include <attn/attention/scaled_dot_product.hpp>

#include "support/allocations.hpp"
#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Align, attn::Index, attn::Tensor;

template <class T>
class Tiled : public testing::Test {
 protected:
  attn::Random random{21};
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Tiled, Scalars);

TYPED_TEST(Tiled, IsEquationOneOverManyTiles) {
  using T = TypeParam;
  for (const auto& [L, S, E, Ev] : std::vector<std::array<Index, 4>>{
           {1, 1000, 8, 8}, {100, 385, 20, 33}, {3, 193, 130, 1}, {25, 192, 1, 300}}) {
    const auto q = normal<T, 4>(this->random, {1, 2, L, E}),
               k = normal<T, 4>(this->random, {1, 2, S, E}),
               v = normal<T, 4>(this->random, {1, 2, S, Ev});
    PlainAttention plain{
        .allows = [offset = S - L](Index, Index, Index i, Index j) { return j <= i + offset; }};
    plain.run(q, k, v, 1 / std::sqrt(double(E)));
    const auto rule = attn::Causal{Align::lower_right};
    const double tolerance = sizeof(T) == 4 ? 3e-6 : 1e-14;
    EXPECT_LT(largest_gap(attn::ScaledDotProductAttention{}(q, k, v, rule), plain.output),
              tolerance);
    EXPECT_LT(largest_gap(attn::ScaledDotProductAttention{}.with_weights(q, k, v, rule).weights,
                          plain.weights),
              tolerance);
    EXPECT_LT(
        largest_gap(attn::ScaledDotProductAttention{}.with_log_sum_exp(q, k, v, rule).log_sum_exp,
                    plain.log_sum_exp),
        tolerance);
  }
}

TYPED_TEST(Tiled, WorkspaceIsAQuarterOfAMegabyteWhateverTheLength) {
  using T = TypeParam;
  const attn::Tiled kernel;
  for (const Index E : {1, 64, 128}) {
    const Index size = kernel.plan<T>({E, E, 100}).workspace_size;
    EXPECT_LE(size * Index(sizeof(T)), 250'000 * Index(sizeof(T)) / 4);
    EXPECT_EQ(size, kernel.plan<T>({E, E, 1'000'000}).workspace_size);
  }
}

TYPED_TEST(Tiled, IntoTheCallersMemoryAllocatesNothingAfterTheFirstCall) {
  using T = TypeParam;
  const auto q = normal<T, 4>(this->random, {2, 4, 150, 16}),
             k = normal<T, 4>(this->random, {2, 2, 150, 16}),
             v = normal<T, 4>(this->random, {2, 2, 150, 16});
  Tensor<T, 4> o(q.shape());
  const attn::ScaledDotProductAttention attend;
  const auto rule = attn::Causal{} & attn::Padding{{150, 99}} & attn::Alibi{attn::Alibi::slopes(4)};
  for (const Index threads : {1, 2, 5}) {
    attn::set_num_threads(threads);
    attend.into(o, q, k, v, rule);
    const std::size_t before = allocations;
    for (int call = 0; call < 20; ++call) attend.into(o, q, k, v, rule);
    EXPECT_EQ(allocations, before) << threads << " threads";
  }
  attn::set_executor(attn::Pool{});
}

TYPED_TEST(Tiled, MayBeCalledByARuleOfItsOwn) {  // whose workspace is then another
  using T = TypeParam;
  const auto q = normal<T, 4>(this->random, {1, 1, 30, 4}),
             k = normal<T, 4>(this->random, {1, 1, 40, 4}),
             v = normal<T, 4>(this->random, {1, 1, 40, 4});
  struct Nested {
    const Tensor<T, 4>&q, &k, &v;
    bool allows(attn::Position at) const { return at.key % 8 != 0 || attended() < T(100); }
    // Not inlined into the loop over scores, which would take half a minute to compile.
    [[gnu::noinline]] T attended() const {
      return attn::ScaledDotProductAttention{}(q, k, v)(0, 0, 0, 0);
    }
  };
  EXPECT_TRUE(same_bits(attn::ScaledDotProductAttention{}(q, k, v, Nested{q, k, v}),
                        attn::ScaledDotProductAttention{}(q, k, v)));
}

TYPED_TEST(Tiled, SkipsTilesThatARuleExcludesAndDoesNotAskInThoseThatItAllowsWhole) {
  using T = TypeParam;
  struct Counting {  // attn::Causal, and how often it is asked
    std::shared_ptr<Index> asked = std::make_shared<Index>(0);
    bool allows(attn::Position at) const {
      ++*asked;
      return at.key <= at.query;
    }
    attn::Coverage cover(attn::Tile tile) const { return attn::Causal{}.cover(tile); }
  };
  const Index L = 700;
  const auto q = normal<T, 4>(this->random, {1, 1, L, 4}),
             k = normal<T, 4>(this->random, {1, 1, L, 4}),
             v = normal<T, 4>(this->random, {1, 1, L, 4});
  attn::set_executor(attn::Serial{});
  const Counting rule;
  EXPECT_TRUE(same_bits(attn::ScaledDotProductAttention{}(q, k, v, rule),
                        attn::ScaledDotProductAttention{}(q, k, v, attn::Causal{})));
  EXPECT_GT(*rule.asked, 0);
  EXPECT_LT(*rule.asked, 2 * L * ATTN_DISPATCH(panel_rows<T>)) << "only about the diagonal";
  attn::set_executor(attn::Pool{});
}

TYPED_TEST(Tiled, SkipsTheTilesBetweenTheFirstKeysAndAWindow) {
  using T = TypeParam;
  static constexpr attn::SlidingWindow window{.left = 30, .right = 0, .first = 4};
  struct Counting {
    std::shared_ptr<Index> asked = std::make_shared<Index>(0);
    bool allows(attn::Position at) const {
      ++*asked;
      return window.allows(at);
    }
    attn::Coverage cover(attn::Tile tile) const { return window.cover(tile); }
  };
  const Index L = 1500;
  const auto q = normal<T, 4>(this->random, {1, 1, L, 4}),
             k = normal<T, 4>(this->random, {1, 1, L, 4});
  attn::set_executor(attn::Serial{});
  const Counting rule;
  const auto got = attn::ScaledDotProductAttention{}(q, k, k, rule);
  EXPECT_TRUE(same_bits(got, attn::ScaledDotProductAttention{}(q, k, k, window)));
  const auto wanted = attn::ScaledDotProductAttention{{}, attn::Reference{}}(q, k, k, window);
  EXPECT_LT(largest_gap(got, wanted), sizeof(T) == 4 ? 3e-6 : 1e-14);
  const Index panel = ATTN_DISPATCH(panel_rows<T>);
  EXPECT_LT(*rule.asked, L * (2 * panel + 2 * 30 + 2 * 16)) << "only the first keys and the window";
  attn::set_executor(attn::Pool{});
}

/// ‖got − exact‖ / ‖exact‖ of a kernel in float.
template <class Kernel, class R>
double relative_error(const Tensor<float, 4>& q, const Tensor<float, 4>& k,
                      const Tensor<float, 4>& v, const R& rule, const Tensor<double, 4>& exact) {
  const Tensor<float, 4> got = attn::ScaledDotProductAttention<Kernel>{}(q, k, v, rule);
  return (got.flat().cast<double>() - exact.flat()).norm() / exact.flat().norm();
}

struct AccuracyCase {
  const char* name;
  Index L, S, E;
  double logits;
};
class TiledAccuracy : public testing::TestWithParam<AccuracyCase> {};

/// At most 1.3 times the error of the reference implementation in float, against the formula in
/// double.
TEST_P(TiledAccuracy, IsThatOfTheReference) {
  const AccuracyCase& given = GetParam();
  const Index L = given.L, S = given.S, E = given.E;
  attn::Random random{9};
  auto q = normal<float, 4>(random, {1, 2, L, E});
  const auto k = normal<float, 4>(random, {1, 2, S, E}),
             v = normal<float, 4>(random, {1, 2, S, 32});
  for (Index i = 0; i < q.size(); ++i) q.data()[i] *= float(given.logits);
  const auto check = [&](const char* what, const auto& rule, PlainAttention plain) {
    plain.run(q, k, v, 1 / std::sqrt(double(E)));
    const double tiled = relative_error<attn::Tiled>(q, k, v, rule, plain.output),
                 reference = relative_error<attn::Reference>(q, k, v, rule, plain.output);
    EXPECT_LE(tiled, 1.3 * reference) << what << " L" << L << " S" << S << " E" << E;
    RecordProperty(what, std::to_string(tiled / reference));
    std::printf("%-10s L%ld S%ld E%ld: error %.2e, the reference's %.2e, ratio %.2f\n", what,
                long(L), long(S), long(E), tiled, reference, tiled / reference);
  };
  const Index offset = S - L;
  check("no mask", attn::NoMask{}, {});
  check("causal", attn::Causal{Align::lower_right},
        {.allows = [=](Index, Index, Index i, Index j) { return j <= i + offset; }});
  check("window", attn::SlidingWindow{.left = S / 2, .align = Align::lower_right},
        {.allows = [=](Index, Index, Index i, Index j) { return j >= i + offset - S / 2; }});
  check("softcap", attn::Softcap{20},
        {.score = [](double s, Index, Index, Index, Index) { return 20 * std::tanh(s / 20); }});
  check("alibi", attn::Alibi{{0.5, 0.0625}, Align::lower_right},
        {.score = [=](double s, Index, Index h, Index i, Index j) {
          return s - (h == 0 ? 0.5 : 0.0625) * std::abs(double(i + offset - j));
        }});
}
INSTANTIATE_TEST_SUITE_P(
    Shapes, TiledAccuracy,
    testing::Values(AccuracyCase{"short", 60, 64, 64, 1}, AccuracyCase{"middle", 48, 512, 64, 1},
                    AccuracyCase{"long", 24, 2048, 64, 1}, AccuracyCase{"longest", 12, 8192, 64, 1},
                    AccuracyCase{"narrow", 48, 1024, 16, 1}, AccuracyCase{"wide", 48, 512, 128, 1},
                    AccuracyCase{"large_logits", 250, 512, 64, 100},
                    AccuracyCase{"large_and_long", 40, 8192, 64, 100}),
    [](const auto& instance) { return instance.param.name; });

}  // namespace
