#pragma once

#include <attn/rules/broadcast.hpp>
#include <limits>

namespace attn {
inline namespace ATTN_ABI {

/// A table that is added to the scaled scores: s + bias(b, h, i, j). −inf masks. Axes of extent 1,
/// and leading axes left out, stand for all. `Bias{std::move(table)}` owns it, `Bias{view(table)}`
/// refers to it.
/// Errors: ShapeError if the table does not fit the scores.
template <class T>
class Bias {
 public:
  static constexpr Align align = Align::upper_left;  // the table has a row for each query

  template <int N>
  explicit Bias(Tensor<T, N> table) : bias_(std::move(table)) {}
  template <int N>
  explicit Bias(TensorView<const T, N> table) : bias_(table) {}
  template <int N>
  explicit Bias(TensorView<T, N> table) : bias_(TensorView<const T, N>(table)) {}

  void check(const ScoreShape& shape) const { bias_.check(shape, "Bias"); }
  bool allows(Position at) const { return bias_(at) != -std::numeric_limits<T>::infinity(); }
  template <class Score>
  Score score(Score s, Position at) const {
    return s + static_cast<Score>(bias_(at));
  }

 protected:
  Broadcast<T> bias_;
};

template <class T, int N>
Bias(Tensor<T, N>) -> Bias<T>;
template <class T, int N>
Bias(TensorView<T, N>) -> Bias<std::remove_const_t<T>>;

}  // namespace ATTN_ABI
}  // namespace attn
