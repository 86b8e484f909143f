#pragma once

#include <attn/autograd/apply.hpp>
#include <attn/core/row_positions.hpp>
#include <attn/core/split_heads.hpp>
#include <attn/parallel/task_memory.hpp>
#include <attn/position/rotary_options.hpp>
#include <memory>

namespace attn {
inline namespace ATTN_ABI {

/// The rotation of RoPE for rows at some positions, see Rotary; `direction` is 1, or −1 for the
/// inverse, which is also the backward: the inverse of a rotation is its transpose.
struct RotateHeads {
  static constexpr bool keeps_inputs = false;
  RotaryLayout layout;
  Index head_dim;
  std::shared_ptr<const std::vector<double>> frequencies;
  RowPositions positions = {};
  double direction = 1;

  RotateHeads inverse() const { return {layout, head_dim, frequencies, positions, -direction}; }

  template <class T, int N>
  Tensor<std::remove_const_t<T>, N> forward(const TensorView<T, N>& x) const {
    using Scalar = std::remove_const_t<T>;
    auto y = Tensor<Scalar, N>::for_overwrite(x.shape());
    rotate(TensorView<const Scalar, N>(x), y.view());
    return y;
  }
  template <class T, int N>
  Tensor<T, N> forward(const Tensor<T, N>& x) const {
    return forward(x.view());
  }
  /// An rvalue is rotated in place.
  template <class T, int N>
  Tensor<T, N> forward(Tensor<T, N>&& x) const {
    rotate(TensorView<const T, N>(x), x.view());
    return std::move(x);
  }
  template <class T, int N>
  void backward(Tensor<T, N> dy, const Input<T, N>& x) const {
    x.add(inverse().forward(std::move(dy)));
  }

  /// `to` may be `from`.
  template <class T, int N>
  void rotate(const TensorView<const T, N>& from, const TensorView<T, N>& to) const {
    static_assert(N >= 2 && N <= 4, "RoPE takes the axes (B, H, L, E), (H, L, E) or (L, E)");
    if (from.shape().back() != head_dim)
      throw ShapeError("Rotary: input " + to_string(from.shape()) +
                       " must have head_dim = " + std::to_string(head_dim) + " on its last axis");
    const TensorView<const T, 4> x = detail::with_leading_axes<4>(from);
    const TensorView<T, 4> y = detail::with_leading_axes<4>(to);
    const Index L = x.shape()[2];
    positions.check(L, "Rotary");
    const Index size = 2 * block * pairs();
    parallel_for<T>((L + block - 1) / block, size, [&](Index task, T* cos) {
      const Range rows{task * block, std::min((task + 1) * block, L)};
      T* const sin = cos + block * pairs();
      fill_tables(rows, cos, sin);
      for (Index b = 0; b < x.shape()[0]; ++b)
        for (Index h = 0; h < x.shape()[1]; ++h)
          for (Index m = rows.begin; m < rows.end; ++m) {
            const Index at = (m - rows.begin) * pairs();
            rotate_row(&x(b, h, m, 0), &y(b, h, m, 0), cos + at, sin + at);
          }
    });
  }

 private:
  static constexpr Index block = 16;  // rows that share a task and its tables

  Index pairs() const { return std::ssize(*frequencies); }

  /// cos m θ_i and ± sin m θ_i for the positions m of some rows.
  template <class T>
  void fill_tables(Range rows, T* cos, T* sin) const {
    for (Index i = 0; i < pairs(); ++i) {
      const double theta = (*frequencies)[static_cast<std::size_t>(i)];
      for (Index m = rows.begin; m < rows.end; ++m) {
        const double angle = static_cast<double>(positions[m]) * theta;
        const Index at = (m - rows.begin) * pairs() + i;
        cos[at] = static_cast<T>(std::cos(angle));
        sin[at] = static_cast<T>(direction * std::sin(angle));
      }
    }
  }
  template <class T>
  void rotate_row(const T* x, T* y, const T* cos, const T* sin) const {
    if (layout == RotaryLayout::half) rotate_pairs<1>(x, y, pairs(), cos, sin);
    else rotate_pairs<2>(x, y, 1, cos, sin);
    if (x != y) std::copy(x + 2 * pairs(), x + head_dim, y + 2 * pairs());
  }
  /// Pairs that begin `stride` apart and whose second element lies `apart` behind the first.
  template <Index stride, class T>
  void rotate_pairs(const T* x, T* y, Index apart, const T* cos, const T* sin) const {
    for (Index i = 0; i < pairs(); ++i) {
      const T a = x[stride * i];
      const T b = x[stride * i + apart];
      y[stride * i] = a * cos[i] - b * sin[i];
      y[stride * i + apart] = b * cos[i] + a * sin[i];
    }
  }
};

/// The same for heads that lie side by side, (B, L, H·E), as a projection gives them.
struct RotatePackedHeads {
  static constexpr bool keeps_inputs = false;
  RotateHeads rotation;
  Index heads;

  template <class T>
  Tensor<T, 3> forward(const Tensor<T, 3>& x) const {
    auto y = Tensor<T, 3>::for_overwrite(x.shape());
    rotation.rotate(detail::split_heads(x.view(), heads), detail::split_heads(y.view(), heads));
    return y;
  }
  /// An rvalue is rotated in place.
  template <class T>
  Tensor<T, 3> forward(Tensor<T, 3>&& x) const {
    rotation.rotate(detail::split_heads(std::as_const(x).view(), heads),
                    detail::split_heads(x.view(), heads));
    return std::move(x);
  }
  template <class T>
  void backward(Tensor<T, 3> dy, const Input<T, 3>& x) const {
    x.add(RotatePackedHeads{rotation.inverse(), heads}.forward(std::move(dy)));
  }
};

/// Rotary position embedding (RoPE): pair i of a query or key at position m is rotated by the angle
/// m θ_i, θ_i = base^(−2i/E),   [Su21 Eq.15]
///
///   (a, b) becomes (a cos m θ_i − b sin m θ_i, b cos m θ_i + a sin m θ_i),   [Su21 Eq.34]
///
/// so that the score of a query at m and a key at n depends on m − n alone [Su21 Eq.16].
/// `rotary(x, offset)` takes (B, H, L, E), or fewer leading axes, at the L positions from `offset`
/// on, or at those of a list, and returns the same shape. An rvalue is rotated in place. With a
/// `rotary_dim` d < E, only the first d elements of a head are rotated, and d stands for E in the
/// formulas; a `scaling` changes the θ_i.
/// Numerics: angles are computed in double and only their cosines and sines rounded to T, so that
/// distant positions are as exact as near ones. A model that was trained with angles in float saw
/// angles that differ by up to m/10⁷. The result for a row depends on its position alone.
/// Errors: OptionError if head_dim or rotary_dim is odd or below 2, or a base or factor not
/// positive and finite; ShapeError if the last axis is not head_dim, or a list not of length L.
class Rotary {
 public:
  RotaryOptions options;

  explicit Rotary(const RotaryOptions& the_options)
      : options(the_options),
        frequencies_(
            std::make_shared<const std::vector<double>>(detail::rotary_frequencies(the_options))) {}

  template <class X>
  auto operator()(X&& x, const RowPositions& positions = {}) const {
    return apply(rotation(positions), std::forward<X>(x));
  }
  /// Rotates by the negative angles.
  template <class X>
  auto inverse(X&& x, const RowPositions& positions = {}) const {
    return apply(rotation(positions).inverse(), std::forward<X>(x));
  }
  /// Heads that lie side by side, (B, L, H·E).
  template <class X>
  auto packed(X&& x, Index heads, const RowPositions& positions = {}) const {
    return apply(RotatePackedHeads{rotation(positions), heads}, std::forward<X>(x));
  }
  /// The operation, for rows at these positions.
  RotateHeads rotation(const RowPositions& positions) const {
    return {options.layout, options.head_dim, frequencies_, positions};
  }

 private:
  std::shared_ptr<const std::vector<double>> frequencies_;
};

}  // namespace ATTN_ABI
}  // namespace attn
