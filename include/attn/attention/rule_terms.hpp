#pragma once

#include <algorithm>
#include <attn/attention/kernel.hpp>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// What some scores add to the gradient of a rule's parameter.
template <class T>
struct RuleTerm {
  Index parameter;  // see RuleParameters
  T value;
};
/// Terms of different parameters, in ascending order.
template <class T>
using RuleTerms = std::vector<RuleTerm<T>>;

/// sum ← sum + terms, for each parameter.
template <class T>
void add_terms(RuleTerms<T>& sum, std::type_identity_t<std::span<const RuleTerm<T>>> terms) {
  if (sum.empty() || terms.empty() || sum.back().parameter < terms.front().parameter) {
    sum.insert(sum.end(), terms.begin(), terms.end());
    return;
  }
  RuleTerms<T> both;
  both.reserve(sum.size() + terms.size());
  auto next = sum.begin();
  for (const RuleTerm<T>& term : terms) {
    while (next != sum.end() && next->parameter < term.parameter) both.push_back(*next++);
    both.push_back(term);
    if (next != sum.end() && next->parameter == term.parameter)
      both.back().value = next++->value + term.value;
  }
  both.insert(both.end(), next, sum.end());
  sum = std::move(both);
}

/// The gradients of the parameters of all rules that a rule is made of. Their parameters are
/// numbered one rule after the other; a constant has none.
template <class T>
class RuleParameters {
 public:
  /// Allocates the memory of the gradients.
  template <Rule R>
  explicit RuleParameters(const BoundRule<R>& rule) {
    rule.visit([&](const auto& one) {
      if constexpr (HasParameters<std::remove_cvref_t<decltype(one)>>) append(one.gradient());
    });
  }

  /// The number of rules that have parameters.
  std::size_t rules() const { return gradients_.size(); }
  /// The number of all parameters.
  Index size() const { return begins_.back(); }
  bool is_constant(std::size_t rule) const { return gradients_[rule].empty(); }
  /// The number of a parameter of a rule.
  /// Errors: ShapeError if the rule has no such parameter.
  Index number(std::size_t rule, Index parameter) const {
    const Index count = std::ssize(gradients_[rule]);
    if (parameter < 0 || parameter >= count)
      throw ShapeError("a rule's parameter(at) = " + std::to_string(parameter) +
                       " must be at least 0 and below " + std::to_string(count) +
                       ", the number of elements of its gradient()");
    return begins_[rule] + parameter;
  }
  void add(std::span<const RuleTerm<T>> terms) const {
    std::size_t rule = 0;
    for (const RuleTerm<T>& term : terms) {
      while (term.parameter >= begins_[rule + 1]) ++rule;
      gradients_[rule][static_cast<std::size_t>(term.parameter - begins_[rule])] += term.value;
    }
  }

 private:
  void append(std::span<T> gradient) {
    gradients_.push_back(gradient);
    begins_.push_back(begins_.back() + std::ssize(gradient));
  }

  std::vector<std::span<T>> gradients_;
  std::vector<Index> begins_{0};  // the number of each rule's first parameter, and of all
};

/// Sums the terms of the scores of one row, which are added in the order of their keys.
template <class T>
class RowOfRuleTerms {
 public:
  explicit RowOfRuleTerms(const RuleParameters<T>& parameters)
      : parameters_(parameters), of_rule_(parameters.rules()) {}

  void add(std::size_t rule, Index parameter, T value) {
    if (parameters_.is_constant(rule)) return;
    const Index number = parameters_.number(rule, parameter);
    RuleTerms<T>& terms = of_rule_[rule];
    if (!terms.empty() && terms.back().parameter == number) terms.back().value += value;
    else terms.push_back({number, value});
  }
  /// The sums, which are then begun anew.
  RuleTerms<T> take() {
    RuleTerms<T> all;
    for (RuleTerms<T>& terms : of_rule_) {
      sort(terms);
      if (all.empty()) all.swap(terms);
      else all.insert(all.end(), terms.begin(), terms.end());
      terms.clear();
    }
    return all;
  }

 private:
  /// Sorts the terms, and adds those of the same parameter. Most rules give them in ascending
  /// order.
  static void sort(RuleTerms<T>& terms) {
    const auto descends = [](const RuleTerm<T>& a, const RuleTerm<T>& b) {
      return a.parameter >= b.parameter;
    };
    if (std::adjacent_find(terms.begin(), terms.end(), descends) == terms.end()) return;
    std::stable_sort(terms.begin(), terms.end(), [](const RuleTerm<T>& a, const RuleTerm<T>& b) {
      return a.parameter < b.parameter;
    });
    auto last = terms.begin();
    for (auto term = std::next(last); term != terms.end(); ++term) {
      if (term->parameter == last->parameter) last->value += term->value;
      else *++last = *term;
    }
    terms.erase(std::next(last), terms.end());
  }

  const RuleParameters<T>& parameters_;
  std::vector<RuleTerms<T>> of_rule_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
