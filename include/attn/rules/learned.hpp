#pragma once

#include <attn/autograd/variable.hpp>
#include <attn/rules/alibi.hpp>
#include <attn/rules/bias.hpp>
#include <attn/rules/sink.hpp>
#include <memory>
#include <span>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {
/// The accumulated gradient of a variable; empty for a constant.
template <class T, int N>
std::span<T> gradient_values(const Variable<T, N>& x) {
  return x.needs_gradient() ? x.shared_gradient()->values() : std::span<T>();
}
}  // namespace detail

/// A Bias whose table is learned: `LearnedBias{tape.parameter(table)}`, of 2 to 4 axes, where an
/// extent of 1 is broadcast. The gradient of an element is the sum over the scores to which it was
/// added.
template <class T, int N>
class LearnedBias : public Bias<T> {
 public:
  explicit LearnedBias(const Variable<T, N>& table)
      : Bias<T>(table.value().view()), table_(table) {}

  Index parameter(Position at) const { return this->bias_.place(at); }
  double parameter_slope(Position) const { return 1; }
  std::span<T> gradient() const { return detail::gradient_values(table_); }
  /// What attention under this rule is recorded for, besides query, key and value.
  const Variable<T, N>& variable() const { return table_; }

 private:
  Variable<T, N> table_;
};

/// Alibi whose slopes, one for each head, are learned: `LearnedAlibi{tape.parameter(slopes)}`.
template <class T>
class LearnedAlibi : public Alibi {
 public:
  explicit LearnedAlibi(const Variable<T, 1>& slopes, std::optional<Align> where = std::nullopt)
      : Alibi(std::vector<double>(slopes.value().data(),
                                  slopes.value().data() + slopes.value().size()),
              where),
        learned_(slopes) {}

  Index parameter(Position at) const { return at.head; }
  double parameter_slope(Position at) const {
    return -std::abs(static_cast<double>(at.query - at.key));
  }
  std::span<T> gradient() const { return detail::gradient_values(learned_); }
  const Variable<T, 1>& variable() const { return learned_; }

 private:
  Variable<T, 1> learned_;
};

/// Sink whose logits, one for each head or one for all, are learned:
/// `LearnedSink{tape.parameter(logits)}`.
template <class T>
class LearnedSink : public Sink {
 public:
  explicit LearnedSink(const Variable<T, 1>& logits)
      : Sink(std::vector<double>(logits.value().data(),
                                 logits.value().data() + logits.value().size())),
        learned_(logits) {}

  std::span<T> gradient() const { return detail::gradient_values(learned_); }
  const Variable<T, 1>& variable() const { return learned_; }

 private:
  Variable<T, 1> learned_;
};

}  // namespace ATTN_ABI
}  // namespace attn
