#pragma once

#include <attn/core/tensor.hpp>
#include <attn/parallel/task_memory.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {

/// Which two of the E numbers of a head turn together as pair i = 0 … E/2 − 1.
enum class RotaryLayout {
  half,        ///< i and E/2 + i, as in GPT-NeoX, Llama, Hugging Face
  interleaved  ///< 2i and 2i + 1, as in the paper and GPT-J
};

struct RotaryOptions {
  Index head_dim;  ///< E
  double base = 10000;
  RotaryLayout layout = RotaryLayout::half;
};

/// Rotary position: pair i of a query or key at position m turns by the angle m θ_i, θ_i =
/// base^(−2i/E),   [Su21 Eq.15]
///
///   (a, b) becomes (a cos m θ_i − b sin m θ_i, b cos m θ_i + a sin m θ_i),   [Su21 Eq.34]
///
/// so that the score of a query at m and a key at n depends on m − n alone [Su21 Eq.16]. `rotary(x,
/// offset)` takes (B, H, L, E), or fewer leading axes, at positions offset … offset + L − 1, and
/// gives a tensor of that shape: x itself, turned in place, where x is a tensor that is given up.
/// Numerics: angles are computed in double and only their cosines and sines rounded to T, so that
/// far positions are as exact as near ones; a model that was trained with angles in float saw
/// others, by up to m/10⁷. What a row gets depends on its position alone.
/// Errors: OptionError if head_dim is odd or below 2, or the base not positive and finite;
/// ShapeError if the last axis is not head_dim.
class Rotary {
 public:
  RotaryOptions options;

  explicit Rotary(const RotaryOptions& the_options) : options(the_options) {
    if (options.head_dim < 2 || options.head_dim % 2 != 0)
      throw OptionError("Rotary: head_dim = " + std::to_string(options.head_dim) +
                        " must be even and at least 2");
    if (!std::isfinite(options.base) || options.base <= 0)
      throw OptionError("Rotary: base = " + std::to_string(options.base) +
                        " must be positive and finite");
  }

  template <class X>
  auto operator()(X&& x, Index offset = 0) const {
    if constexpr (requires { turned(std::forward<X>(x), offset, 1.0); })
      return turned(std::forward<X>(x), offset, 1.0);
    else return rotate(*this, x, offset);  // of a variable, as whoever knows them says
  }
  /// By the negative angles: undoes the rotation, and is its backward, dx from dy, because the
  /// inverse of a rotation is its transpose.
  template <class X>
  auto inverse(X&& x, Index offset = 0) const {
    return turned(std::forward<X>(x), offset, -1);
  }

 private:
  template <class T, int N>
  auto turned(const TensorView<T, N>& x, Index offset, double direction) const {
    using Scalar = std::remove_const_t<T>;
    auto y = Tensor<Scalar, N>::for_overwrite(x.shape());
    turn(TensorView<const Scalar, N>(x), y.view(), offset, direction);
    return y;
  }
  template <class T, int N>
  Tensor<T, N> turned(const Tensor<T, N>& x, Index offset, double direction) const {
    return turned(x.view(), offset, direction);
  }
  template <class T, int N>
  Tensor<T, N> turned(Tensor<T, N>&& x, Index offset, double direction) const {
    turn(TensorView<const T, N>(x), x.view(), offset, direction);
    return Tensor<T, N>(std::move(x));
  }

  /// `to` may be `from`.
  template <class T, int N>
  void turn(const TensorView<const T, N>& from, const TensorView<T, N>& to, Index offset,
            double direction) const {
    static_assert(N >= 2 && N <= 4, "what turns has the axes (B, H, L, E), (H, L, E) or (L, E)");
    if (from.shape().back() != options.head_dim)
      throw ShapeError("Rotary: input " + to_string(from.shape()) + " must have head_dim = " +
                       std::to_string(options.head_dim) + " on its last axis");
    const TensorView<const T, 4> x = as_heads(from);
    const TensorView<T, 4> y = as_heads(to);
    const Index L = x.shape()[2], pairs = options.head_dim / 2;
    constexpr Index block = 16;  // positions that share a task and its tables
    parallel_for<T>((L + block - 1) / block, 2 * block * pairs, [&](Index task, T* cos) {
      T* const sin = cos + block * pairs;
      const Index begin = task * block, end = std::min(begin + block, L);
      for (Index i = 0; i < pairs; ++i) {
        const double theta =
            std::pow(options.base, -static_cast<double>(i) / static_cast<double>(pairs));
        for (Index m = begin, at = i; m < end; ++m, at += pairs) {
          const double angle = static_cast<double>(offset + m) * theta;
          cos[at] = static_cast<T>(std::cos(angle)),
          sin[at] = static_cast<T>(direction * std::sin(angle));
        }
      }
      for (Index b = 0; b < x.shape()[0]; ++b)
        for (Index h = 0; h < x.shape()[1]; ++h)
          for (Index m = begin, at = 0; m < end; ++m, at += pairs) {
            if (options.layout == RotaryLayout::half)
              turn_pairs<1>(&x(b, h, m, 0), &y(b, h, m, 0), pairs, cos + at, sin + at, pairs);
            else turn_pairs<2>(&x(b, h, m, 0), &y(b, h, m, 0), 1, cos + at, sin + at, pairs);
          }
    });
  }

  /// Pairs of one row that begin `step` apart and whose two numbers lie `apart`.
  template <Index step, class T>
  static void turn_pairs(const T* x, T* y, Index apart, const T* cos, const T* sin, Index pairs) {
    for (Index i = 0; i < pairs; ++i) {
      const T a = x[step * i], b = x[step * i + apart];
      y[step * i] = a * cos[i] - b * sin[i];
      y[step * i + apart] = b * cos[i] + a * sin[i];
    }
  }

  /// Leading axes that were left out have extent 1.
  template <class T, int N>
  static TensorView<T, 4> as_heads(const TensorView<T, N>& x) {
    Shape<4> shape{1, 1, 1, 1}, strides{};
    std::copy(x.shape().begin(), x.shape().end(), shape.end() - N);
    std::copy(x.strides().begin(), x.strides().end(), strides.end() - N);
    return {x.data(), shape, strides};
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
