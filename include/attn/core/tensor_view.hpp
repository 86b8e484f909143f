#pragma once

#include <algorithm>
#include <attn/core/shape.hpp>
#include <optional>
#include <type_traits>
#include <utility>

namespace attn {
inline namespace ATTN_ABI {

template <class T, int N>
class Tensor;

namespace detail {
/// Says that shape and strides come from a tensor or a view, and need not be checked again.
struct Checked {};
}  // namespace detail

/// N axes over memory that somebody else owns: a pointer, and an extent and a stride for each axis.
/// The last axis always has stride 1, so that every matrix of the view is an `Eigen::Map`; the
/// other axes may have any stride, so that slices and the heads of a projection are views too. A
/// view of const T is read-only. Like a pointer, a view is copied freely, must not outlive the
/// memory, and gives the same access whether it is const or not.
/// Errors: ShapeError from `slice`, `[]`, `reshape`, `flat`, `as_rows`; element indices are checked
/// by ATTN_ASSERT.
template <class T, int N>
class TensorView {
  static_assert(N >= 1, "a tensor has at least one axis");
  static constexpr std::size_t rank = static_cast<std::size_t>(N);

 public:
  using Scalar = std::remove_const_t<T>;
  static constexpr int axes = N;
  using Matrix = Eigen::Matrix<Scalar, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Vector = Eigen::Matrix<Scalar, Eigen::Dynamic, 1>;
  template <class Plain>
  using Readable = std::conditional_t<std::is_const_v<T>, const Plain, Plain>;
  using MatrixMap = Eigen::Map<Readable<Matrix>, Eigen::Unaligned, Eigen::OuterStride<>>;
  using VectorMap = Eigen::Map<Readable<Vector>>;

  /// Row-major and contiguous.
  TensorView(T* data, const Shape<N>& shape)
      : TensorView(detail::Checked{}, data, shape, checked_strides(shape)) {}
  /// With a stride for each axis, in elements; the last must be 1.
  TensorView(T* data, const Shape<N>& shape, const Shape<N>& strides)
      : TensorView(detail::Checked{}, data, shape, strides) {
    checked_size(shape, sizeof(T));
    if (strides.back() != 1)
      throw ShapeError("TensorView: the last of the strides " + to_string(strides) + " must be 1");
  }
  /// A view that may write converts to a read-only one.
  operator TensorView<const T, N>() const
    requires(!std::is_const_v<T>)
  {
    return {detail::Checked{}, data_, shape_, strides_};
  }

  T* data() const { return data_; }
  const Shape<N>& shape() const { return shape_; }
  const Shape<N>& strides() const { return strides_; }
  Index size() const {
    if (std::find(shape_.begin(), shape_.end(), 0) != shape_.end()) return 0;
    Index size = 1;
    for (const Index extent : shape_) size *= extent;
    return size;
  }
  bool is_contiguous() const {
    if (size() == 0) return true;
    Index stride = 1;
    for (std::size_t axis = rank; axis-- > 0; stride *= shape_[axis])
      if (shape_[axis] > 1 && strides_[axis] != stride) return false;
    return true;
  }

  /// One element, by an index for each axis.
  template <class... I>
    requires(sizeof...(I) == rank)
  T& operator()(I... index) const {
    return data_[offset(index...)];
  }

  /// The view at index i of the first axis.
  TensorView<T, N - 1> operator[](Index i) const
    requires(N > 1)
  {
    if (i < 0 || i >= shape_[0])
      throw ShapeError("TensorView: index " + std::to_string(i) +
                       " must be at least 0 and below the first extent of " + to_string(shape_));
    Shape<N - 1> shape, strides;
    std::copy(shape_.begin() + 1, shape_.end(), shape.begin());
    std::copy(strides_.begin() + 1, strides_.end(), strides.begin());
    return {detail::Checked{}, data_ + i * strides_[0], shape, strides};
  }

  /// The indices from `begin` up to but without `end` of one axis.
  TensorView slice(int axis, Index begin, Index end) const {
    if (axis < 0 || axis >= N)
      throw ShapeError("TensorView: slice axis " + std::to_string(axis) +
                       " must be one of the axes of " + to_string(shape_));
    const auto a = static_cast<std::size_t>(axis);
    if (begin < 0 || begin > end || end > shape_[a])
      throw ShapeError("TensorView: slice " + std::to_string(begin) + ":" + std::to_string(end) +
                       " must lie within axis " + std::to_string(axis) + " of " +
                       to_string(shape_));
    TensorView part = *this;
    part.shape_[a] = end - begin;
    if (part.size() > 0) part.data_ += begin * strides_[a];
    return part;
  }

  /// The matrix of the last two axes, at an index for each axis before them: `matrix(b, h)` is the
  /// L×E matrix of a head.
  template <class... I>
    requires(sizeof...(I) + 2 == rank)
  MatrixMap matrix(I... index) const {
    return {data_ + offset(index...), shape_[rank - 2], shape_[rank - 1],
            Eigen::OuterStride<>(strides_[rank - 2])};
  }

  /// All elements as one matrix, whose rows are the last axis: (B, L, D) as (B·L)×D. The rows must
  /// be evenly spaced.
  MatrixMap as_rows() const
    requires(N >= 2)
  {
    const std::optional<MatrixMap> rows = even_rows();
    if (!rows)
      throw ShapeError("TensorView: strides " + to_string(strides_) + " of " + to_string(shape_) +
                       " must let the rows be evenly spaced");
    return *rows;
  }
  /// The same, or nothing where the rows are not evenly spaced, as in a slice of each sequence of a
  /// batch.
  std::optional<MatrixMap> even_rows() const
    requires(N >= 2)
  {
    Index rows = 1;
    Index stride = strides_[rank - 2];
    for (std::size_t axis = rank - 1; axis-- > 0; rows *= shape_[axis]) {
      if (shape_[axis] <= 1) continue;  // the stride of such an axis has no meaning
      if (rows == 1) stride = strides_[axis];
      if (strides_[axis] != rows * stride && size() > 0) return std::nullopt;
    }
    return MatrixMap(data_, rows, shape_[rank - 1], Eigen::OuterStride<>(stride));
  }

  /// All elements as one vector. The view must be contiguous.
  VectorMap flat() const {
    require_contiguous("flat");
    return {data_, size()};
  }

  /// The same elements in the same order with other extents. The view must be contiguous.
  template <std::size_t M>
  TensorView<T, static_cast<int>(M)> reshape(const Index (&shape)[M]) const {
    require_contiguous("reshape");
    const std::array<Index, M> target = std::to_array(shape);
    if (checked_size(target) != size())
      throw ShapeError("TensorView: reshape " + to_string(target) +
                       " must keep the number of elements of " + to_string(shape_));
    return {data_, target};
  }

  /// A copy whose axis a is this view's axis `order[a]`, as PyTorch's `permute(...).contiguous()`.
  Tensor<Scalar, N> permute(const std::array<int, rank>& order) const;

  /// A contiguous copy.
  Tensor<Scalar, N> copy() const;

 private:
  template <class, int>
  friend class TensorView;
  template <class, int>
  friend class Tensor;
  TensorView(detail::Checked, T* data, const Shape<N>& shape, const Shape<N>& strides)
      : data_(data), shape_(shape), strides_(strides) {}

  static Shape<N> checked_strides(const Shape<N>& shape) {
    checked_size(shape, sizeof(T));
    return detail::row_major_strides(shape);
  }
  /// The distance of an element from the first, by an index for each of the leading axes.
  template <class... I>
  Index offset(I... index) const {
    return offset_of(std::index_sequence_for<I...>(), static_cast<Index>(index)...);
  }
  template <std::size_t... axis, class... I>
  Index offset_of(std::index_sequence<axis...>, I... index) const {
    return (Index{0} + ... + distance(axis, index));
  }
  Index distance(std::size_t axis, Index index) const {
    ATTN_ASSERT(index >= 0 && index < shape_[axis]);
    return index * strides_[axis];
  }
  void require_contiguous(const char* function) const {
    if (!is_contiguous())
      throw ShapeError(std::string("TensorView: ") + function + " needs a contiguous view, but " +
                       to_string(shape_) + " has strides " + to_string(strides_));
  }

  T* data_;
  Shape<N> shape_, strides_;
};

/// The caller's memory as a tensor: `view(pointer, {B, H, L, E})`, row-major. Nothing is copied.
template <class T, std::size_t N>
TensorView<T, static_cast<int>(N)> view(T* data, const Index (&shape)[N]) {
  return {data, std::to_array(shape)};
}

template <class T, int N>
TensorView<T, N> view(const TensorView<T, N>& tensor) {
  return tensor;
}

namespace detail {

/// A view with M axes of the same elements: the axes that N lacks come first and have extent 1.
template <int M, class T>
TensorView<T, M> with_leading_axes(const TensorView<T, M>& view) {
  return view;
}
template <int M, class T, int N>
  requires(N < M)
TensorView<T, M> with_leading_axes(const TensorView<T, N>& view) {
  Shape<M> shape, strides{};
  shape.fill(1);
  std::copy(view.shape().begin(), view.shape().end(), shape.end() - N);
  std::copy(view.strides().begin(), view.strides().end(), strides.end() - N);
  return {view.data(), shape, strides};
}

/// A view with one more axis of the same elements, the last, of extent 1: (B, H, n) as
/// (B, H, n, 1).
template <class T, int N>
TensorView<T, N + 1> with_trailing_axis(const TensorView<T, N>& view) {
  Shape<N + 1> shape, strides;
  shape.back() = strides.back() = 1;
  std::copy(view.shape().begin(), view.shape().end(), shape.begin());
  std::copy(view.strides().begin(), view.strides().end(), strides.begin());
  return {view.data(), shape, strides};
}

}  // namespace detail

/// Equal shapes and equal elements, whatever the strides.
template <class T, class U, int N>
  requires std::is_same_v<std::remove_const_t<T>, std::remove_const_t<U>>
bool operator==(const TensorView<T, N>& a, const TensorView<U, N>& b) {
  if (a.shape() != b.shape()) return false;
  if constexpr (N == 1) {
    return std::equal(a.data(), a.data() + a.size(), b.data());
  } else {
    for (Index i = 0; i < a.shape()[0]; ++i)
      if (!(a[i] == b[i])) return false;
    return true;
  }
}

}  // namespace ATTN_ABI
}  // namespace attn
