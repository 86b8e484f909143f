// Attention of a divided sequence against one process, to the bits: drawn shapes, rules, dropout.
#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/mpi.hpp>
#include <cstdlib>

#include "mpi/ranks.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;

/// What attention gives on a tape, with the gradients.
template <class T>
struct Results {
  Tensor<T, 4> output, d_query, d_key, d_value;
};

struct Case {
  Index B, H, G, S, E, Ev;
  double dropout = 0;
  std::optional<Index> ranks_of_heads = std::nullopt;
  std::uint64_t seed = 1;
};
std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << "B" << c.B << " H" << c.H << " G" << c.G << " S" << c.S << " E" << c.E << " Ev"
             << c.Ev << " dropout " << c.dropout << " ranks_of_heads "
             << c.ranks_of_heads.value_or(0) << " seed " << c.seed;
}

template <class T, class Attend, class R>
Results<T> results(const Attend& attend, const std::vector<Tensor<T, 4>>& x, const R& rule) {
  attn::Random draws{3};
  attn::Tape<T> tape(draws);
  const auto q = tape.variable(x[0]), k = tape.variable(x[1]), v = tape.variable(x[2]);
  const auto o = attend(q, k, v, rule);
  tape.backward(o, x[3]);
  return {o.value(), q.grad(), k.grad(), v.grad()};
}

/// A rule that a user wrote, one score at a time: no vectors, no coverage, positions count.
struct EveryThird {
  bool allows(attn::Position at) const { return (at.query + at.key + at.head) % 3 != 0; }
  template <class Score>
  Score score(Score s, attn::Position at) const {
    return s * Score(1 + double(at.key % 5) / 8);
  }
};

template <class T, class R>
void compare(const Case& c, const R& rule) {
  attn::Random random{c.seed};
  std::vector<Tensor<T, 4>> whole;
  for (const attn::Shape<4>& shape :
       {attn::Shape<4>{c.B, c.H, c.S, c.E}, attn::Shape<4>{c.B, c.G, c.S, c.E},
        attn::Shape<4>{c.B, c.G, c.S, c.Ev}, attn::Shape<4>{c.B, c.H, c.S, c.Ev}})
    whole.push_back(normal<T, 4>(random, shape));
  const attn::AttentionOptions options{.dropout = c.dropout};
  const Results<T> wanted = results(attn::ScaledDotProductAttention(options), whole, rule);

  const attn::mpi::Sequence sequence(ranks(), c.S);
  const attn::mpi::SequenceParallel attend(sequence, {options, c.ranks_of_heads});
  std::vector<Tensor<T, 4>> part;
  for (const Tensor<T, 4>& x : whole) part.push_back(sequence.local(x));
  const Results<T> got = results(attend, part, rule);
  EXPECT_TRUE(same_bits(got.output, sequence.local(wanted.output))) << c;
  EXPECT_TRUE(same_bits(got.d_query, sequence.local(wanted.d_query))) << c;
  EXPECT_TRUE(same_bits(got.d_key, sequence.local(wanted.d_key))) << c;
  EXPECT_TRUE(same_bits(got.d_value, sequence.local(wanted.d_value))) << c;
  if (c.dropout > 0) return;
  EXPECT_TRUE(same_bits(attend(part[0], part[1], part[2], rule), got.output)) << c;
}

/// A case under the n-th of some rules.
template <class T>
void compare_under(std::uint64_t rule, const Case& c) {
  switch (rule % 7) {
    case 0: return compare<T>(c, attn::NoMask{});
    case 1: return compare<T>(c, attn::Causal{});
    case 2:
      return compare<T>(c, attn::SlidingWindow{.left = 70} &
                               attn::Padding{std::vector<Index>(std::size_t(c.B), c.S - c.S / 5)});
    case 3: return compare<T>(c, attn::Causal{} & attn::Alibi{attn::Alibi::slopes(c.H)});
    case 4: return compare<T>(c, attn::Softcap{3});
    case 5: {
      Tensor<bool, 4> keep({1, c.H, 1, c.S});
      attn::Random random{c.seed + 1};
      for (Index n = 0; n < keep.size(); ++n) keep.data()[n] = random.index(3) > 0;
      return compare<T>(c, attn::Keep{std::move(keep)});
    }
    default: return compare<T>(c, EveryThird{});
  }
}

Case drawn(std::uint64_t seed, Index ranks) {
  attn::Random random{1000 + seed};
  const auto one_of = [&](std::initializer_list<Index> values) {
    return values.begin()[random.index(std::ssize(values))];
  };
  Case c{};
  c.seed = seed;
  c.B = one_of({1, 1, 2});
  c.G = one_of({1, 2, 3, 4});
  c.H = c.G * one_of({1, 1, 2, 3});
  c.S = one_of({0, 1, 5, 95, 96, 97, 191, 192, 193, 300, 500, random.index(700), 1733});
  c.E = one_of({1, 4, 7, 16, 33});
  c.Ev = one_of({1, 4, 9, 16, 40});
  c.dropout = one_of({0, 0, 1}) == 1 ? 0.3 : 0;
  const Index width = one_of({1, 2, 3, 4});
  if (c.G % width == 0 && ranks % width == 0) c.ranks_of_heads = width;
  return c;
}

TEST(SequenceParallel, HasTheBitsOfOneProcess) {
  const char* const number = std::getenv("ATTN_CASES");
  const std::uint64_t cases = number ? std::strtoull(number, nullptr, 10) : 60;
  for (std::uint64_t n = 0; n < cases; ++n) {
    const Case c = drawn(n, ranks().size());
    if (n % 3 == 0) compare_under<double>(n / 3, c);
    else compare_under<float>(n / 3, c);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
