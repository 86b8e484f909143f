#pragma once

#include <attn/autograd/apply.hpp>
#include <attn/core/option.hpp>
#include <attn/core/random.hpp>
#include <attn/core/range.hpp>
#include <attn/core/row_positions.hpp>
#include <attn/parallel/chunks.hpp>
#include <attn/simd/simd.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {
/// Errors: OptionError unless 0 ≤ p ≤ 1.
inline void expect_probability(double p, const char* function) {
  expect_option(p >= 0 && p <= 1, function, "dropout", p, "at least 0 and at most 1");
}
}  // namespace detail

/// Which elements are dropped, each with probability p, as a function of their place: nothing is
/// stored, and the backward pass computes the mask again. Elements that are kept are multiplied by
/// 1 / (1 − p), so that the mean does not change [Srivastava14 §10]; with p = 1 all are dropped.
/// One draw of the Random serves four elements.
template <class T>
class DropoutMask {
 public:
  /// Errors: OptionError unless 0 ≤ p ≤ 1.
  DropoutMask(double p, Index size, Random& random)
      : seed_(random.seed), counter_(random.counter), scale_(static_cast<T>(1 / (1 - p))) {
    detail::expect_probability(p, "dropout");
    threshold_ = static_cast<std::uint64_t>(std::ldexp(p, 32));
    random.counter += static_cast<std::uint64_t>((size + 3) / 4);
  }

  /// The factors of elements 4·block … 4·block + 3: 0 or 1 / (1 − p).
  simd::Array<T, 4> four(Index block) const {
    const auto bits = detail::philox_block(seed_, counter_ + static_cast<std::uint64_t>(block));
    simd::Array<T, 4> factors;
    for (Index i = 0; i < 4; ++i)
      factors[i] = bits[static_cast<std::size_t>(i)] < threshold_ ? T(0) : scale_;
    return factors;
  }
  T operator()(Index i) const { return four(i / 4)[i % 4]; }

 private:
  std::uint64_t seed_, counter_, threshold_;
  T scale_;
};

/// y = mask ∘ x on a tape that has a Random, and y = x elsewhere.   dx = mask ∘ dy
/// If x (…, L, D) has some of many rows, whose places `rows` are a list, the mask is drawn for all
/// of them, and each row gets the part that it gets among all.
/// Numerics: a dropped element is 0, whatever its value was.
/// Errors: where dropout acts, ShapeError if `rows` is a list that has not a place for each row, or
/// a place that is none of all.
struct DropElements {
  double p;
  RowPositions rows = {};

  template <class T, int N>
  Tensor<T, N> forward(Tensor<T, N> x) const {
    return x;
  }
  template <class T, int N>
  auto forward(const Recording& recording, const Input<T, N>& x) const {
    using Mask = std::optional<DropoutMask<T>>;
    if (p == 0 || !recording.random) return OutputAndSaved{x.shared_value(), Mask()};
    Mask mask(std::in_place, p, size_of_all(x.shape()), *recording.random);
    return OutputAndSaved{std::make_shared<const Tensor<T, N>>(masked(x.value(), *mask)), mask};
  }
  template <class T, int N>
  void backward(Tensor<T, N> dy, const std::optional<DropoutMask<T>>& mask,
                const Input<T, N>& x) const {
    x.add(mask ? masked(std::move(dy), *mask) : std::move(dy));
  }

 private:
  template <std::size_t N>
  Index size_of_all(std::array<Index, N> shape) const {
    if constexpr (N >= 2) {
      rows.check_places(shape[N - 2], "Dropout");
      shape[N - 2] = rows.all(shape[N - 2]);
    }
    return checked_size(shape);
  }
  template <class T, int N>
  Tensor<T, N> masked(Tensor<T, N> x, const DropoutMask<T>& mask) const {
    static_assert(detail::chunk_size % 4 == 0, "a chunk must hold whole blocks of the mask");
    if constexpr (N >= 2)
      if (!rows.is_contiguous()) return masked_by_rows(std::move(x), mask);
    detail::parallel_chunks(x.size(), [&](Index begin, Index count) {
      multiply(x.data() + begin, {begin, begin + count}, mask);
    });
    return x;
  }
  template <class T, int N>
  Tensor<T, N> masked_by_rows(Tensor<T, N> x, const DropoutMask<T>& mask) const {
    const Index L = x.shape()[N - 2], D = x.shape()[N - 1], all = rows.all(L);
    if (x.size() == 0) return x;
    const Index count = x.size() / D, block = std::max<Index>(1, detail::chunk_size / D);
    parallel_for((count + block - 1) / block, [&](Index n) {
      for (Index row = n * block; row < std::min(count, (n + 1) * block); ++row) {
        const Index place = (row / L * all + rows[row % L]) * D;
        multiply(x.data() + row * D, {place, place + D}, mask);
      }
    });
    return x;
  }
  /// x ← mask ∘ x, of elements that lie at `places` of all.
  template <class T>
  static void multiply(T* x, Range places, const DropoutMask<T>& mask) {
    for (Index i = places.begin; i < places.end;) {
      const auto factors = mask.four(i / 4);
      const Index end = std::min((i / 4 + 1) * 4, places.end);
      for (; i < end; ++i) {
        T& element = x[i - places.begin];
        const T factor = factors[i % 4];
        element = factor == T(0) ? T(0) : element * factor;
      }
    }
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
