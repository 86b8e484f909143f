#pragma once

#include <attn/core/tensor.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

/// Equation 1 once more, independent of the library: plain loops, double, std::exp. Keys that are
/// not allowed are never read.
struct PlainAttention {
  using Index = attn::Index;
  std::function<bool(Index b, Index h, Index i, Index j)> allows = [](Index, Index, Index, Index) {
    return true;
  };
  std::function<double(double s, Index b, Index h, Index i, Index j)> score =
      [](double s, Index, Index, Index, Index) { return s; };
  /// The logit of a head that joins the sum and has no value; −∞ for none.
  std::function<double(Index h)> sink = [](Index) {
    return -std::numeric_limits<double>::infinity();
  };

  attn::Tensor<double, 4> output{}, weights{};
  attn::Tensor<double, 3> log_sum_exp{};

  template <class T>
  PlainAttention& run(const attn::Tensor<T, 4>& q, const attn::Tensor<T, 4>& k,
                      const attn::Tensor<T, 4>& v, double scale) {
    const auto [B, H, L, E] = q.shape();
    const Index G = k.shape()[1], S = k.shape()[2], Ev = v.shape()[3];
    output = attn::Tensor<double, 4>({B, H, L, Ev});
    weights = attn::Tensor<double, 4>({B, H, L, S});
    log_sum_exp = attn::Tensor<double, 3>({B, H, L});
    for (Index b = 0; b < B; ++b)
      for (Index h = 0; h < H; ++h)
        for (Index i = 0; i < L; ++i) {
          const Index g = h / (H / G);
          std::vector<double> s(std::size_t(S), 0.0);
          std::vector<bool> in(std::size_t(S), false);
          double largest = sink(h), sum = 0;
          for (Index j = 0; j < S; ++j) {
            if (!allows(b, h, i, j)) continue;
            double dot = 0;
            const T *q_i = q.data() + ((b * H + h) * L + i) * E,
                    *k_j = k.data() + ((b * G + g) * S + j) * E;
            for (Index e = 0; e < E; ++e) dot += double(q_i[e]) * double(k_j[e]);
            s[std::size_t(j)] = score(dot * scale, b, h, i, j);
            in[std::size_t(j)] = true;
            largest = std::max(largest, s[std::size_t(j)]);
          }
          for (Index j = 0; j < S; ++j)
            if (in[std::size_t(j)]) sum += std::exp(s[std::size_t(j)] - largest);
          if (std::isfinite(sink(h))) sum += std::exp(sink(h) - largest);
          log_sum_exp(b, h, i) =
              sum > 0 ? largest + std::log(sum) : -std::numeric_limits<double>::infinity();
          for (Index j = 0; j < S; ++j) {
            if (!in[std::size_t(j)]) continue;
            weights(b, h, i, j) = std::exp(s[std::size_t(j)] - largest) / sum;
            const double p = weights(b, h, i, j);
            const T* v_j = v.data() + ((b * G + g) * S + j) * Ev;
            double* o_i = output.data() + ((b * H + h) * L + i) * Ev;
            for (Index e = 0; e < Ev; ++e) o_i[e] += p * double(v_j[e]);
          }
        }
    return *this;
  }
};

/// The largest difference between two tensors of equal shape; infinite where the shapes differ or
/// one has a NaN.
template <class T, class U, int N>
double largest_gap(const attn::Tensor<T, N>& a, const attn::Tensor<U, N>& b) {
  if (a.shape() != b.shape()) return std::numeric_limits<double>::infinity();
  double gap = 0;
  for (attn::Index i = 0; i < a.size(); ++i) {
    const double x = double(a.data()[i]), y = double(b.data()[i]), d = x == y ? 0 : std::abs(x - y);
    gap = d <= gap ? gap : d;
    if (d != d) return std::numeric_limits<double>::infinity();
  }
  return gap;
}
