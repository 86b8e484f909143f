#pragma once

#include <gtest/gtest.h>

#include <attn/attn.hpp>
#include <attn/mpi.hpp>
#include <cstdlib>
#include <optional>
#include <ostream>

#include "mpi/ranks.hpp"
#include "support/tensors.hpp"

/// Attention of a sequence that is divided between ranks, against one process, to the bits.
namespace divided_cases {

using attn::Index, attn::Tensor;

/// Shapes, dropout, and how many ranks exchange heads.
struct Case {
  Index B, H, G, S, E, Ev;
  double dropout = 0;
  std::optional<Index> ranks_of_heads = std::nullopt;
  std::uint64_t seed = 1;
};
inline std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "B" << c.B << " H" << c.H << " G" << c.G << " S" << c.S << " E" << c.E << " Ev"
             << c.Ev << " dropout " << c.dropout << " ranks_of_heads "
             << c.ranks_of_heads.value_or(0) << " seed " << c.seed;
}

/// f(zero, n) for n = 0, 1, …, where zero is a double or a float, until one fails. There are as
/// many cases as ATTN_CASES says, 60 otherwise.
template <class F>
void for_each_case(F&& f) {
  const char* const number = std::getenv("ATTN_CASES");
  const std::uint64_t cases = number ? std::strtoull(number, nullptr, 10) : 60;
  for (std::uint64_t n = 0; n < cases && !testing::Test::HasFailure(); ++n) {
    if (n % 3 == 0) f(0.0, n);
    else f(0.0f, n);
  }
}

/// What attention gives on a tape, with the gradients.
template <class T>
struct Results {
  Tensor<T, 4> output, d_query, d_key, d_value;
};

/// `x` are q, k, v and the gradient of the output. `with_rule(tape, f)` calls f(rule).
template <class T, class Attend, class WithRule>
Results<T> results(const Attend& attend, const std::vector<Tensor<T, 4>>& x,
                   const WithRule& with_rule) {
  attn::Random draws{3};
  attn::Tape<T> tape(draws);
  const auto q = tape.variable(x[0]), k = tape.variable(x[1]), v = tape.variable(x[2]);
  Results<T> result;
  with_rule(tape, [&](const auto& rule) {
    const auto o = attend(q, k, v, rule);
    tape.backward(o, x[3]);
    result = {o.value(), q.grad(), k.grad(), v.grad()};
  });
  return result;
}

/// The inputs of a case, on one process and divided.
template <class T>
class Comparison {
 public:
  explicit Comparison(const Case& c)
      : case_(c), sequence_(ranks(), c.S), attend_(sequence_, {options(), c.ranks_of_heads}) {
    attn::Random random{c.seed};
    for (const attn::Shape<4>& shape :
         {attn::Shape<4>{c.B, c.H, c.S, c.E}, attn::Shape<4>{c.B, c.G, c.S, c.E},
          attn::Shape<4>{c.B, c.G, c.S, c.Ev}, attn::Shape<4>{c.B, c.H, c.S, c.Ev}}) {
      whole_.push_back(normal<T, 4>(random, shape));
      here_.push_back(sequence_.local(whole_.back()));
    }
  }
  Comparison(const Comparison&) = delete;

  /// Compares the output and the gradients under a rule of one process and that of the ranks, and
  /// returns this rank's output.
  template <class OfOne, class OfRanks>
  Tensor<T, 4> compare(const OfOne& with_rule_of_one, const OfRanks& with_rule_of_ranks) const {
    const attn::ScaledDotProductAttention alone(options());
    const Results<T> wanted = results(alone, whole_, with_rule_of_one);
    const Results<T> got = results(attend_, here_, with_rule_of_ranks);
    expect(got.output, sequence_.local(wanted.output), "output");
    expect(got.d_query, sequence_.local(wanted.d_query), "d_query");
    expect(got.d_key, sequence_.local(wanted.d_key), "d_key");
    expect(got.d_value, sequence_.local(wanted.d_value), "d_value");
    return got.output;
  }
  /// The same under a rule without parameters; tensors give what variables give.
  template <class R>
  void compare(const R& rule) const {
    const auto with_rule = [&](auto&, auto&& f) { f(rule); };
    const Tensor<T, 4> wanted = compare(with_rule, with_rule);
    if (case_.dropout > 0) return;  // tensors are not dropped
    expect(attend_(here_[0], here_[1], here_[2], rule), wanted, "output of tensors");
  }

 private:
  attn::AttentionOptions options() const { return {.dropout = case_.dropout}; }
  void expect(const Tensor<T, 4>& got, const Tensor<T, 4>& wanted, const char* name) const {
    EXPECT_TRUE(same_bits(got, wanted)) << name << " of " << case_;
  }

  Case case_;
  attn::mpi::Sequence sequence_;
  attn::mpi::SequenceParallel<> attend_;
  std::vector<Tensor<T, 4>> whole_, here_;
};

}  // namespace divided_cases
