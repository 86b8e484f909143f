#pragma once

#include <attn/core/random.hpp>
#include <attn/math/elementwise.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Which of many numbers are dropped, each with probability p, as a function of its place: nothing
/// is stored, and backward asks again. Those that stay are multiplied by 1 / (1 − p), so that the
/// mean stays [Srivastava14 §10]. It takes a draw of the Random for every four numbers.
template <class T>
class DropoutMask {
 public:
  /// Errors: OptionError unless 0 ≤ p ≤ 1.
  DropoutMask(double p, Index size, Random& random)
      : seed_(random.seed), counter_(random.counter), kept_(static_cast<T>(1 / (1 - p))) {
    if (!(p >= 0 && p <= 1))
      throw OptionError("dropout: p = " + std::to_string(p) + " must be at least 0 and at most 1");
    threshold_ = static_cast<std::uint64_t>(std::ldexp(p, 32));
    random.counter += static_cast<std::uint64_t>((size + 3) / 4);
  }

  /// The factors of numbers 4·block … 4·block + 3: 0 or 1 / (1 − p).
  simd::Array<T, 4> four(Index block) const {
    const auto bits = philox_block(seed_, counter_ + static_cast<std::uint64_t>(block));
    simd::Array<T, 4> factors;
    for (Index i = 0; i < 4; ++i)
      factors[i] = bits[static_cast<std::size_t>(i)] < threshold_ ? T(0) : kept_;
    return factors;
  }
  T operator()(Index i) const { return four(i / 4)[i % 4]; }

 private:
  std::uint64_t seed_, counter_, threshold_;
  T kept_;
};

/// y = mask ∘ x, and just so its backward, dx = mask ∘ dy. Numerics: what is dropped is 0, whatever
/// it was.
template <class T, int N>
Tensor<T, N> drop(Tensor<T, N> x, const DropoutMask<T>& mask) {
  constexpr Index part = 16384;
  parallel_for((x.size() + part - 1) / part, [&](Index p) {
    for (Index i = p * part; i < std::min(x.size(), (p + 1) * part); i += 4) {
      const auto factors = mask.four(i / 4);
      for (Index j = i; j < std::min(i + 4, x.size()); ++j)
        x.data()[j] = factors[j - i] == T(0) ? T(0) : x.data()[j] * factors[j - i];
    }
  });
  return x;
}

}  // namespace ATTN_ABI
}  // namespace attn
