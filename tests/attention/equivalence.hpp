#pragma once

#include "support/attention_cases.hpp"

/// Compares Tiled with Reference on drawn cases: outputs, weights and log-sum-exps agree, and what
/// masked keys and values hold, NaN, infinities and the largest values, does not change, bitwise,
/// the outputs of the queries that they are masked for.
template <class T>
class Equivalence : public testing::TestWithParam<std::uint64_t> {
 public:
  static constexpr std::uint64_t shares = 8;

 protected:
  using Index = attn::Index;
  using Tensor = attn::Tensor<T, 4>;
  using Attention = attention_cases::Attention<T>;

  void run_share() {
    if (const char* one = std::getenv("ATTN_CASE")) return run(std::strtoull(one, nullptr, 10));
    for (std::uint64_t number = GetParam();
         number < attention_cases::how_many() / 2 && !HasFailure(); number += shares)
      run(number);
  }

 private:
  /// The output alone, with the weights, and with the log-sum-exp.
  struct Results {
    Tensor output, weighted_output, weights, summed_output;
    attn::Tensor<T, 3> log_sum_exp;

    Results(const attention_cases::Shape& s, const Attention& attention)
        : output({s.B, s.H, s.L, s.Ev}),
          weighted_output(output.shape()),
          weights({s.B, s.H, s.L, s.S}),
          summed_output(output.shape()),
          log_sum_exp({s.B, s.H, s.L}) {
      for (Tensor* x : {&output, &weighted_output, &weights, &summed_output})
        x->flat().setConstant(std::numeric_limits<T>::quiet_NaN());  // all of it is overwritten
      attention.forward({output});
      attention.forward({weighted_output, weights.view()});
      attention.forward({summed_output, std::nullopt, log_sum_exp.view()});
    }
  };

  void run(std::uint64_t number) {
    attention_cases::Case<T> c(number);
    c.with_attention([&](const Attention& tiled) { compare(c, tiled); });
    if (HasFailure())
      ADD_FAILURE() << "case " << number << ": " << c.describe() << "\nalone: ATTN_CASE=" << number
                    << " attn_kernel_tests --gtest_filter='*Equivalence"
                    << (sizeof(T) == 4 ? "Float" : "Double") << "*/0'";
  }

  void compare(attention_cases::Case<T>& c, const Attention& tiled) {
    const Results got(c.shape, tiled), wanted(c.shape, c.reference(tiled.rule));
    const double tolerance = (sizeof(T) == 4 ? 2e-6 : 4e-15) * (3 + 2 * c.factor);
    EXPECT_TRUE(near(got.output, wanted.weighted_output, 4 * tolerance)) << "output";
    EXPECT_TRUE(near(got.weights, wanted.weights, tolerance)) << "weights";
    EXPECT_TRUE(near(got.log_sum_exp, wanted.log_sum_exp, 8 * tolerance)) << "log-sum-exp";
    EXPECT_TRUE(same_bits(got.output, got.weighted_output)) << "output with weights";
    EXPECT_TRUE(same_bits(got.output, got.summed_output)) << "output with log-sum-exp";
    poison(c, tiled, got.output);
  }

  /// Some keys and values become what must not be computed with where they are masked.
  void poison(attention_cases::Case<T>& c, const Attention& tiled, const Tensor& clean) {
    const auto [B, H, G, L, S, E, Ev] = c.shape;
    if (S == 0 || L == 0 || Ev == 0) return;
    constexpr T infinity = std::numeric_limits<T>::infinity();
    const T poisons[] = {
        std::numeric_limits<T>::quiet_NaN(), infinity, -infinity,
        std::numeric_limits<T>::max(),       T(1e38),  std::numeric_limits<T>::denorm_min()};
    attn::Random random{std::uint64_t(L * 1000003 + S)};
    std::vector<Index> bad;
    for (Index n = 0; n < 3; ++n) {
      const Index j = random.index(S);
      bad.push_back(j);
      const T key = poisons[random.index(6)], value = poisons[random.index(6)];
      for (Index b = 0; b < B; ++b)
        for (Index g = 0; g < G; ++g) {
          c.k.view().matrix(b, g).row(j).setConstant(key);
          c.v.view().matrix(b, g)(j, random.index(Ev)) = value;
        }
    }
    Tensor got({B, H, L, Ev});
    got.flat().setConstant(std::numeric_limits<T>::quiet_NaN());
    tiled.forward({got});
    for (Index b = 0; b < B; ++b)
      for (Index h = 0; h < H; ++h)
        for (Index i = 0; i < L; ++i) {
          const bool sees = std::any_of(bad.begin(), bad.end(), [&](Index j) {
            return tiled.rule.allows(attn::Position{b, h, i, j});
          });
          ASSERT_TRUE(sees || std::memcmp(&clean(b, h, i, 0), &got(b, h, i, 0),
                                          std::size_t(Ev) * sizeof(T)) == 0)
              << "a masked key changes query " << i << " of head " << h << " in " << b;
        }
  }

  template <int N>
  static bool near(const attn::Tensor<T, N>& a, const attn::Tensor<T, N>& b, double tolerance) {
    if (a.shape() != b.shape()) return false;
    for (Index i = 0; i < a.size(); ++i) {
      const double x = double(a.data()[i]), y = double(b.data()[i]);
      if (x != y && !(std::abs(x - y) <= tolerance * std::max(1.0, std::abs(y)))) {
        ADD_FAILURE() << "at " << i << ": " << x << " instead of " << y;
        return false;
      }
    }
    return true;
  }
};
