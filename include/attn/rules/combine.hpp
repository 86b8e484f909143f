#pragma once

#include <algorithm>
#include <attn/rules/bound_rule.hpp>
#include <cmath>
#include <tuple>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// log(e^a + e^b)
inline double log_add_exp(double a, double b) {
  const double larger = std::max(a, b), smaller = std::min(a, b);
  return smaller == -std::numeric_limits<double>::infinity()
             ? larger
             : larger + std::log1p(std::exp(smaller - larger));
}

}  // namespace detail

/// Several rules as one: a key is allowed where all allow it, and scores change from the first rule
/// to the last. Masks come after all changes, whatever their order: a capped score never leaks
/// probability to a masked key.
template <Rule... R>
struct Combined {
  static_assert(!(PlacesRows<R> || ...), "Packed is the outer rule: Packed{offsets, a & b}");
  static constexpr bool same_for_heads = (SameForHeads<R> && ...);
  std::tuple<R...> rules;

  bool allows(Position at) const {
    return std::apply([&](const R&... rule) { return (allows_one(rule, at) && ...); }, rules);
  }
  template <class T>
  T score(T s, Position at) const {
    std::apply([&](const R&... rule) { ((s = score_one(rule, s, at)), ...); }, rules);
    return s;
  }

 private:
  template <class One>
  static bool allows_one(const One& rule, Position at) {
    if constexpr (Masks<One>) return rule.allows(at);
    else return true;
  }
  template <class One, class T>
  static T score_one(const One& rule, T s, Position at) {
    if constexpr (ChangesScores<One>) return static_cast<T>(rule.score(s, at));
    else return s;
  }
};

/// Each rule of a combination stands where its own alignment says.
template <Rule... R>
class BoundRule<Combined<R...>> {
 public:
  BoundRule(const Combined<R...>& combined, const ScoreShape& call, std::optional<Align> align,
            const std::optional<Offsets>& offsets = std::nullopt)
      : rules_(std::apply(
            [&](const R&... rule) {
              return std::tuple<BoundRule<R>...>(BoundRule<R>(rule, call, align, offsets)...);
            },
            combined.rules)) {}
  BoundRule(const Combined<R...>&&, const ScoreShape&, std::optional<Align>,
            const std::optional<Offsets>& = std::nullopt) = delete;

  BoundRule on(Index queries, Index keys) const {
    return BoundRule(std::apply(
        [&](const BoundRule<R>&... rule) { return std::tuple(rule.on(queries, keys)...); },
        rules_));
  }
  void count_rows_by_heads(Index queries) {
    std::apply([&](BoundRule<R>&... rule) { (rule.count_rows_by_heads(queries), ...); }, rules_);
  }

  static constexpr bool masks = (Masks<R> || ...), changes_scores = (ChangesScores<R> || ...);
  static constexpr bool has_parameters = (BoundRule<R>::has_parameters || ...);
  static constexpr bool has_sink = (HasSink<R> || ...);
  static constexpr bool learns_sink = (LearnsSink<R> || ...);

  bool allows(Position at) const {
    return std::apply([&](const BoundRule<R>&... rule) { return (rule.allows(at) && ...); },
                      rules_);
  }
  template <class T>
  T score(T s, Position at) const {
    std::apply([&](const BoundRule<R>&... rule) { ((s = rule.score(s, at)), ...); }, rules_);
    return s;
  }
  template <class Queries>
  typename Queries::Mask allows(const PositionsOf<Queries>& at, Index count) const {
    return std::apply([&](const BoundRule<R>&... rule) { return (rule.allows(at, count) & ...); },
                      rules_);
  }
  template <class Score, class Queries>
  Score score(Score s, const PositionsOf<Queries>& at, Index count) const {
    std::apply([&](const BoundRule<R>&... rule) { ((s = rule.score(s, at, count)), ...); }, rules_);
    return s;
  }
  /// The derivative by a rule's parameter passes through all rules after it: the chain rule.
  template <class T, class F>
  T differentiate(T s, Position at, F&& f) const {
    return differentiate_from<0>(s, at, f);
  }
  double sink(Index head) const {
    double sum = -std::numeric_limits<double>::infinity();
    std::apply(
        [&](const BoundRule<R>&... rule) {
          ((sum = detail::log_add_exp(sum, rule.sink(head))), ...);
        },
        rules_);
    return sum;
  }
  template <class F>
  void visit(F&& f) const {
    std::apply([&](const BoundRule<R>&... rule) { (rule.visit(f), ...); }, rules_);
  }
  Coverage cover(const Tile& tile) const {
    Coverage result = Coverage::full;
    std::apply(
        [&](const BoundRule<R>&... rule) { ((result = std::min(result, rule.cover(tile))), ...); },
        rules_);
    return result;
  }

 private:
  explicit BoundRule(std::tuple<BoundRule<R>...> rules) : rules_(std::move(rules)) {}

  template <std::size_t first, class T, class F>
  T differentiate_from(T s, Position at, F&& f) const {
    if constexpr (first == sizeof...(R)) {
      return s;
    } else {
      const T next = std::get<first>(rules_).differentiate(
          s, at, [&](const auto& rule, Position where, T slope) {
            const Dual<T> through =
                score_from<first + 1>(Dual<T>(std::get<first>(rules_).score(s, at), slope), at);
            f(rule, where, through.slope);
          });
      return differentiate_from<first + 1>(next, at, f);
    }
  }
  template <std::size_t first, class Score>
  Score score_from(Score s, Position at) const {
    if constexpr (first == sizeof...(R)) return s;
    else return score_from<first + 1>(std::get<first>(rules_).score(s, at), at);
  }

  std::tuple<BoundRule<R>...> rules_;
};

namespace detail {

template <Rule R>
std::tuple<R> as_rules(const R& rule) {
  return {rule};
}
template <Rule... R>
std::tuple<R...> as_rules(const Combined<R...>& combined) {
  return combined.rules;
}
template <Rule... R>
Combined<R...> combined(std::tuple<R...> rules) {
  return {std::move(rules)};
}

}  // namespace detail

/// `combine(a, b, …)`: rules of any types as one; combinations among them are opened.
template <Rule... R>
auto combine(const R&... rules) {
  return detail::combined(std::tuple_cat(detail::as_rules(rules)...));
}

/// `a & b` is `combine(a, b)`, found wherever one of the two is a rule of this library.
template <Rule A, Rule B>
auto operator&(const A& a, const B& b) {
  return combine(a, b);
}

}  // namespace ATTN_ABI
}  // namespace attn
