#pragma once

#include <attn/core/buffer.hpp>
#include <attn/core/tensor_view.hpp>
#include <utility>

namespace attn {
inline namespace ATTN_ABI {

/// Owns one contiguous row-major block of N axes, 64-byte aligned. `Tensor<float, 4>({B, H, L, E})`
/// is initialized to zero. Copies are deep; a tensor that was moved from is empty. Everything that
/// a view can do, a tensor does through its view.
template <class T, int N>
class Tensor {
  static constexpr std::size_t rank = static_cast<std::size_t>(N);

 public:
  using Scalar = T;
  static constexpr int axes = N;
  using View = TensorView<T, N>;
  using ConstView = TensorView<const T, N>;

  Tensor() = default;
  /// Errors: ShapeError if an extent is negative or the size in bytes does not fit an Index.
  explicit Tensor(const Shape<N>& shape) : buffer_(checked_size(shape, sizeof(T))), shape_(shape) {}
  /// Uninitialized, for code that writes every element before it reads one.
  static Tensor for_overwrite(const Shape<N>& shape) {
    return {Buffer<T>::for_overwrite(checked_size(shape, sizeof(T))), shape};
  }
  /// The same in huge pages, which it may share with other tensors; so are its copies.
  static Tensor in_shared_pages(const Shape<N>& shape) {
    return {Buffer<T>::in_shared_pages(checked_size(shape, sizeof(T))), shape};
  }
  Tensor(const Tensor&) = default;
  Tensor(Tensor&& other) noexcept
      : buffer_(std::move(other.buffer_)), shape_(std::exchange(other.shape_, Shape<N>{})) {}
  Tensor& operator=(const Tensor&) = default;
  Tensor& operator=(Tensor&& other) noexcept {
    buffer_ = std::move(other.buffer_);
    shape_ = std::exchange(other.shape_, Shape<N>{});
    return *this;
  }
  ~Tensor() = default;

  View view() {
    return {detail::Checked{}, buffer_.data(), shape_, detail::row_major_strides(shape_)};
  }
  ConstView view() const {
    return {detail::Checked{}, buffer_.data(), shape_, detail::row_major_strides(shape_)};
  }
  operator View() { return view(); }
  operator ConstView() const { return view(); }

  T* data() { return buffer_.data(); }
  const T* data() const { return buffer_.data(); }
  const Shape<N>& shape() const { return shape_; }
  Index size() const { return buffer_.size(); }

  template <class... I>
    requires(sizeof...(I) == rank)
  T& operator()(I... index) {
    return view()(index...);
  }
  template <class... I>
    requires(sizeof...(I) == rank)
  const T& operator()(I... index) const {
    return view()(index...);
  }

  auto operator[](Index i) { return view()[i]; }
  auto operator[](Index i) const { return view()[i]; }
  auto slice(int axis, Index begin, Index end) { return view().slice(axis, begin, end); }
  auto slice(int axis, Index begin, Index end) const { return view().slice(axis, begin, end); }
  template <class... I>
  auto matrix(I... index) {
    return view().matrix(index...);
  }
  template <class... I>
  auto matrix(I... index) const {
    return view().matrix(index...);
  }
  auto as_rows() { return view().as_rows(); }
  auto as_rows() const { return view().as_rows(); }
  auto flat() { return view().flat(); }
  auto flat() const { return view().flat(); }
  /// A view with other extents; of an rvalue, a tensor that takes over its memory.
  template <std::size_t M>
  auto reshape(const Index (&shape)[M]) & {
    return view().reshape(shape);
  }
  template <std::size_t M>
  auto reshape(const Index (&shape)[M]) const& {
    return view().reshape(shape);
  }
  template <std::size_t M>
  Tensor<T, static_cast<int>(M)> reshape(const Index (&shape)[M]) && {
    Tensor<T, static_cast<int>(M)> result;
    result.shape_ = view().reshape(shape).shape();
    result.buffer_ = std::move(buffer_);
    shape_ = {};
    return result;
  }
  Tensor permute(const std::array<int, rank>& order) const { return view().permute(order); }

 private:
  template <class, int>
  friend class Tensor;
  Tensor(Buffer<T>&& buffer, const Shape<N>& shape) : buffer_(std::move(buffer)), shape_(shape) {}

  // The buffer comes first: a copy that fails to allocate changes neither.
  Buffer<T> buffer_;
  Shape<N> shape_{};
};

template <class T, int N>
TensorView<T, N> view(Tensor<T, N>& tensor) {
  return tensor.view();
}
template <class T, int N>
TensorView<const T, N> view(const Tensor<T, N>& tensor) {
  return tensor.view();
}

template <class T, int N>
bool operator==(const Tensor<T, N>& a, const Tensor<T, N>& b) {
  return a.view() == b.view();
}

/// Copies element by element, between equal shapes; source and target must not overlap.
template <class T, class U, int N>
void copy(const TensorView<T, N>& source, const TensorView<U, N>& target) {
  if (source.shape() != target.shape())
    throw ShapeError("copy: source " + to_string(source.shape()) +
                     " must have the shape of the target " + to_string(target.shape()));
  if constexpr (N == 1) {
    std::copy_n(source.data(), source.size(), target.data());
  } else {
    for (Index i = 0; i < source.shape()[0]; ++i) copy(source[i], target[i]);
  }
}

template <class T, int N>
auto TensorView<T, N>::copy() const -> Tensor<Scalar, N> {
  Tensor<Scalar, N> result(shape_);
  attn::copy(*this, result.view());
  return result;
}

template <class T, int N>
auto TensorView<T, N>::permute(const std::array<int, rank>& order) const -> Tensor<Scalar, N> {
  Shape<N> shape{}, strides{};
  std::array<bool, rank> seen{};
  for (std::size_t a = 0; a < rank; ++a) {
    const auto axis = static_cast<std::size_t>(order[a]);
    if (order[a] < 0 || order[a] >= N || std::exchange(seen[axis], true))
      throw ShapeError("permute: the order of axes must name each axis of " + to_string(shape_) +
                       " once");
    shape[a] = shape_[axis];
    strides[a] = strides_[axis];
  }
  Tensor<Scalar, N> result(shape);
  Shape<N> at{};
  for (Index i = 0; i < result.size(); ++i) {
    Index source = 0;
    for (std::size_t a = 0; a < rank; ++a) source += at[a] * strides[a];
    result.data()[i] = data_[source];
    for (std::size_t a = rank; a-- > 0 && ++at[a] == shape[a];) at[a] = 0;  // the next index
  }
  return result;
}

/// A copy of a view; a tensor itself, as the lvalue or rvalue that it is.
template <class T, int N>
auto to_tensor(const TensorView<T, N>& view) {
  return view.copy();
}
template <class T, int N>
const Tensor<T, N>& to_tensor(const Tensor<T, N>& tensor) {
  return tensor;
}
template <class T, int N>
Tensor<T, N>&& to_tensor(Tensor<T, N>&& tensor) {
  return std::move(tensor);
}
/// An Eigen expression as a tensor of two axes, row-major; `tensor.matrix()` is the inverse.
template <class Derived>
Tensor<typename Derived::Scalar, 2> to_tensor(const Eigen::MatrixBase<Derived>& matrix) {
  Tensor<typename Derived::Scalar, 2> result({matrix.rows(), matrix.cols()});
  result.matrix().noalias() = matrix;
  return result;
}
template <class Derived>
Tensor<typename Derived::Scalar, 2> to_tensor(const Eigen::ArrayBase<Derived>& array) {
  return to_tensor(array.matrix());
}

}  // namespace ATTN_ABI
}  // namespace attn
