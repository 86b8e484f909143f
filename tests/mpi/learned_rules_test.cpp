// Rules with parameters under attention of a divided sequence: their gradients are those of one
// process, to the bits, on every rank.
#include <cstring>

#include "mpi/divided_cases.hpp"

namespace {

using namespace divided_cases;

/// A user's rule with few parameters, which do not ascend with the keys: the bias of a distance.
template <class T>
class DistanceBias {
 public:
  static constexpr Index buckets = 7;
  explicit DistanceBias(const attn::Variable<T, 2>& biases) : biases_(biases) {}

  template <class Score>
  Score score(Score s, attn::Position at) const {
    return s + Score(parameter_slope(at)) * Score(biases_.value().data()[parameter(at)]);
  }
  Index parameter(attn::Position at) const {
    const Index distance = std::abs(at.query - at.key);
    return at.head * buckets + (distance * distance + at.batch) % buckets;
  }
  double parameter_slope(attn::Position at) const { return at.key % 2 == 0 ? 1 : 0.5; }
  std::span<T> gradient() const { return biases_.shared_gradient()->values(); }
  const attn::Variable<T, 2>& variable() const { return biases_; }

 private:
  attn::Variable<T, 2> biases_;
};

/// A case, and the shape of a LearnedBias.
struct LearnedCase : Case {
  attn::Shape<4> table;
};
std::ostream& operator<<(std::ostream& out, const LearnedCase& c) {
  return out << static_cast<const Case&>(c) << " table " << attn::to_string(c.table);
}

/// The parameters of all rules, whose gradients are not empty at first.
template <class T>
struct Parameters {
  attn::Parameter<T, 4> table;
  attn::Parameter<T, 1> slopes, logits;
  attn::Parameter<T, 2> biases;

  explicit Parameters(const LearnedCase& c)
      : table(c.table), slopes({c.H}), logits({c.seed % 2 == 0 ? c.H : 1}), biases({c.H, 7}) {
    attn::Random random{c.seed + 7};
    random.normal(table.edit());
    random.normal(slopes.edit(), 0, 0.1);
    random.normal(logits.edit());
    random.normal(biases.edit());
    for (const std::span<T> gradient : gradients())
      for (T& x : gradient) x = T(random.index(1000)) / T(7);
  }
  std::vector<std::span<T>> gradients() {
    return {table.gradient().values(), slopes.gradient().values(), logits.gradient().values(),
            biases.gradient().values()};
  }
};

/// f(rule) for the n-th of some rules with parameters.
template <class T, class F>
void with_rule(std::uint64_t n, attn::Tape<T>& tape, Parameters<T>& p, F&& f) {
  const auto table = tape.parameter(p.table);
  const auto slopes = tape.parameter(p.slopes), logits = tape.parameter(p.logits);
  const attn::LearnedBias bias{table};
  switch (n % 7) {
    case 0: return f(bias);
    case 1: return f(attn::Causal{} & attn::LearnedAlibi<T>{slopes});
    case 2: return f(attn::LearnedSink<T>{logits});
    case 3: return f(DistanceBias<T>{tape.parameter(p.biases)} & attn::Softcap{3});
    case 4: return f(attn::SlidingWindow{.left = 70} & attn::LearnedSink<T>{logits} & bias);
    case 5: return f(attn::LearnedAlibi<T>{slopes} & attn::Softcap{4} & bias & bias);
    default:
      return f(attn::Causal{} & DistanceBias<T>{tape.parameter(p.biases)} &
               attn::LearnedSink<T>{logits} & attn::LearnedAlibi<T>{slopes});
  }
}

template <class T>
void compare(const LearnedCase& c, std::uint64_t rule) {
  Parameters<T> parameters_of_one(c), parameters(c);
  const auto under = [&](Parameters<T>& some) {
    return [&, rule](attn::Tape<T>& tape, const auto& f) { with_rule(rule, tape, some, f); };
  };
  Comparison<T>(c).compare(under(parameters_of_one), under(parameters));
  const auto all = parameters.gradients(), all_wanted = parameters_of_one.gradients();
  for (std::size_t n = 0; n < all.size(); ++n)
    EXPECT_TRUE(all[n].empty() ||
                std::memcmp(all[n].data(), all_wanted[n].data(), all[n].size_bytes()) == 0)
        << "gradient " << n << " of rule " << rule % 7 << ", " << c;
}

LearnedCase drawn(std::uint64_t seed, Index ranks) {
  attn::Random random{2000 + seed};
  const auto one_of = [&](std::initializer_list<Index> values) {
    return values.begin()[random.index(std::ssize(values))];
  };
  LearnedCase c{};
  c.seed = seed;
  c.B = one_of({1, 1, 2});
  c.G = one_of({1, 2, 3, 4});
  c.H = c.G * one_of({1, 1, 2});
  c.S = one_of({0, 1, 5, 15, 16, 17, 33, 64, 97, 130, 193, 300, random.index(400)});
  c.E = one_of({1, 4, 7, 16});
  c.Ev = one_of({1, 4, 9, 16});
  c.table = {one_of({1, c.B}), one_of({1, c.H}), one_of({1, c.S}), one_of({1, c.S})};
  c.dropout = one_of({0, 0, 1}) == 1 ? 0.3 : 0;
  const Index width = one_of({1, 2, 3, 4});
  if (c.G % width == 0 && ranks % width == 0) c.ranks_of_heads = width;
  return c;
}

TEST(LearnedRules, HaveTheGradientsOfOneProcessOnEveryRank) {
  for_each_case(
      [](auto zero, std::uint64_t n) { compare<decltype(zero)>(drawn(n, ranks().size()), n); });
}

TEST(LearnedRules, AreTrainedByAttentionOfConstants) {
  const Index S = 150;
  attn::Random random{4};
  const auto x = normal<double, 4>(random, {1, 2, S, 8}),
             d = normal<double, 4>(random, {1, 2, S, 8});
  attn::Parameter<double, 1> whole_slopes({2}), slopes({2});
  attn::Tape<double> whole_tape, tape;
  const attn::LearnedAlibi whole_rule{whole_tape.parameter(whole_slopes)};
  whole_tape.backward(attn::ScaledDotProductAttention{}(x, x, x, whole_rule), d);
  const attn::mpi::Sequence sequence(ranks(), S);
  const Tensor<double, 4> here = sequence.local(x);
  const attn::mpi::SequenceParallel attend{sequence};
  tape.backward(attend(here, here, here, attn::LearnedAlibi{tape.parameter(slopes)}),
                sequence.local(d));
  EXPECT_TRUE(same_bits(slopes.gradient().sum(), whole_slopes.gradient().sum()));
  EXPECT_GT(slopes.gradient().sum().flat().norm(), 1e-3);
}

}  // namespace
