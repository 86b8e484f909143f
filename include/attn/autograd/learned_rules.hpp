#pragma once

#include <attn/autograd/tape.hpp>
#include <attn/rules/alibi.hpp>
#include <attn/rules/bias.hpp>
#include <memory>
#include <span>

namespace attn {
inline namespace ATTN_ABI {

/// A Bias whose table is learned: `LearnedBias{tape.parameter(table)}`, of 2 to 4 axes, with
/// extents of 1 that stand for all. The gradient of each number is the sum over the scores that it
/// was added to.
template <class T>
class LearnedBias : public Bias<T> {
 public:
  template <int N>
  explicit LearnedBias(const Variable<T, N>& table)
      : Bias<T>(table.value().view()), value_(table.kept()), gradient_(table.gradient()) {}

  Index parameter(Position at) const { return this->bias_.place(at); }
  double parameter_slope(Position) const { return 1; }
  std::span<T> gradient() const { return gradient_ ? gradient_->values() : std::span<T>(); }

 private:
  std::shared_ptr<const void> value_;
  std::shared_ptr<AnyGradient<T>> gradient_;
};
template <class T, int N>
LearnedBias(Variable<T, N>) -> LearnedBias<T>;

/// Alibi whose slopes, one for each head, are learned: `LearnedAlibi{tape.parameter(slopes)}`.
template <class T>
class LearnedAlibi : public Alibi {
 public:
  explicit LearnedAlibi(const Variable<T, 1>& slopes, std::optional<Align> where = std::nullopt)
      : Alibi(std::vector<double>(slopes.value().data(),
                                  slopes.value().data() + slopes.value().size()),
              where),
        gradient_(slopes.gradient()) {}

  Index parameter(Position at) const { return at.head; }
  double parameter_slope(Position at) const {
    return -std::abs(static_cast<double>(at.query - at.key));
  }
  std::span<T> gradient() const { return gradient_ ? gradient_->values() : std::span<T>(); }

 private:
  std::shared_ptr<AnyGradient<T>> gradient_;
};
template <class T, class... Where>
LearnedAlibi(Variable<T, 1>, Where...) -> LearnedAlibi<T>;

}  // namespace ATTN_ABI
}  // namespace attn
