#pragma once

#include <attn/core/tensor.hpp>
#include <attn/rules/rule.hpp>
#include <memory>

namespace attn {
inline namespace ATTN_ABI {

/// A (B, H, L, S) table in which an axis of extent 1 stands for all indices, as masks and biases
/// come. Fewer axes are the last ones: (L, S), (H, L, S). It owns a tensor that is given to it
/// (copies share it), or refers to memory through a view.
template <class T>
class Broadcast {
 public:
  template <int N>
  explicit Broadcast(Tensor<T, N> tensor)
      : owner_(std::make_shared<const Tensor<T, N>>(std::move(tensor))) {
    refer(static_cast<const Tensor<T, N>*>(owner_.get())->view());
  }
  template <int N>
  explicit Broadcast(TensorView<const T, N> table) {
    refer(table);
  }

  /// Errors: ShapeError, in the name of `function`, if an extent is neither 1 nor that of the
  /// scores.
  void check(const ScoreShape& scores, const char* function) const {
    const Shape<4> wanted{scores.batch, scores.heads, scores.queries, scores.keys};
    for (std::size_t axis = 0; axis < 4; ++axis)
      if (shape_[axis] != 1 && shape_[axis] != wanted[axis])
        throw ShapeError(std::string(function) + ": shape " + to_string(shape_) +
                         " must be that of the scores (B, H, L, S) = " + to_string(wanted) +
                         ", or 1, on each axis");
  }
  const T& operator()(Position at) const { return data_[place(at)]; }
  /// The distance in memory from the table's first element.
  Index place(Position at) const {
    return at.batch * strides_[0] + at.head * strides_[1] + at.query * strides_[2] +
           at.key * strides_[3];
  }

 private:
  template <int N>
  void refer(const TensorView<const T, N>& table) {
    static_assert(N >= 2 && N <= 4,
                  "a mask or bias has 2 to 4 axes: (L, S), (H, L, S) or (B, H, L, S)");
    data_ = table.data();
    for (std::size_t axis = 0; axis < static_cast<std::size_t>(N); ++axis) {
      const std::size_t target = axis + 4 - static_cast<std::size_t>(N);
      shape_[target] = table.shape()[axis];
      strides_[target] = shape_[target] == 1 ? 0 : table.strides()[axis];
    }
  }

  std::shared_ptr<const void> owner_;
  const T* data_ = nullptr;
  Shape<4> shape_{1, 1, 1, 1}, strides_{};
};

}  // namespace ATTN_ABI
}  // namespace attn
