// Attention of a divided sequence against one process, to the bits: drawn shapes, rules, dropout.
#include "mpi/divided_cases.hpp"
#include "support/expect_error.hpp"

namespace {

using namespace divided_cases;

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
  Comparison<T>(c).compare(rule);
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
  for_each_case([](auto zero, std::uint64_t n) {
    compare_under<decltype(zero)>(n / 3, drawn(n, ranks().size()));
  });
}

TEST(SequenceParallel, RefusesAnotherNumberTypeOrRuleOnARank) {
  if (ranks().size() == 1) return;
  const bool differs = ranks().rank() == 1;
  const std::string who = "rank 1 of " + std::to_string(ranks().size());
  const attn::mpi::Sequence sequence(ranks(), 40);
  const attn::mpi::SequenceParallel attend(sequence);
  const attn::Tensor<float, 4> x({1, 2, sequence.size(), 4});
  const attn::Tensor<double, 4> y(x.shape());
  const auto sentence = [](auto&& call) { return sentence_of<attn::ShapeError>(call); };
  const std::string shape = " (1, 2, 40, 4)";
  EXPECT_EQ(sentence([&] {
              if (differs) attend(y, y, y, attn::Causal{});
              else attend(x, x, x, attn::Causal{});
            }),
            "SequenceParallel: " + who + " says query double" + shape +
                ", rank 0 says query float" + shape);
  EXPECT_EQ(sentence([&] {
              if (differs) attend(x, x, x, attn::NoMask{});
              else attend(x, x, x, attn::Causal{});
            }),
            "SequenceParallel: " + who + " says rule attn::NoMask, rank 0 says rule attn::Causal");
  EXPECT_EQ(
      sentence([&] {
        if (differs) sequence.gather(y);
        else sequence.gather(x);
      }),
      "Sequence: " + who + " says gather double" + shape + ", rank 0 says gather float" + shape);
}

}  // namespace
