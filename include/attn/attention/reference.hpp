#pragma once

#include <attn/attention/heads.hpp>
#include <attn/math/softmax.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// Attention(Q, K, V) = softmax(Q Kᵀ · scale) V, row by row as printed [Vaswani17 Eq.1]: the
/// definition, and the oracle of every other kernel. Both sums run over the allowed keys only, so
/// that what a masked key holds, NaN included, is never read.
/// Cost: O(L·S·(E + Ev)) time, two rows of S numbers of scratch a thread.
struct Reference {
  template <class T>
  Index queries(Index, Index) const {
    return 16;
  }
  template <class T>
  Index scratch(Index, Index, Index S) const {
    return 2 * S;
  }

  template <class T, class R>
  void operator()(const HeadInput<T>& in, const R& rule, HeadOutput<T>& out, T* scratch) const {
    const auto& [Q, K, V, scale, batch, head, row, mask] = in;
    constexpr T none = -std::numeric_limits<T>::infinity();
    const Index S = K.rows();
    const std::span<T> s(scratch, static_cast<std::size_t>(S)),
        p(scratch + S, static_cast<std::size_t>(S));
    auto& O = out.O;

    for (Index i = 0; i < Q.rows(); ++i) {
      for (Index j = 0; j < S; ++j) {
        const Position at{batch, head, row + i, j};
        s[std::size_t(j)] = rule.allows(at) ? rule.score(scale * dot(Q, i, K, j), at) : none;
      }
      const T log_sum_exp = softmax<T>(s, p);
      O.row(i).setZero();
      for (Index j = 0; j < S; ++j) {
        if (s[std::size_t(j)] == none) continue;
        T weight = p[std::size_t(j)];
        if (mask) weight *= (*mask)(Position{batch, head, row + i, j});
        O.row(i) += weight * V.row(j);
      }

      if (out.P) std::copy(p.begin(), p.end(), out.P->row(i).data());
      if (out.log_sum_exp) out.log_sum_exp[i] = log_sum_exp;
    }
  }

  template <class T>
  Index backward_scratch(Index, Index, Index S) const {
    return 3 * S;
  }
  /// With s = rule(scale · Q Kᵀ) and its derivative s′:
  ///   dV = Pᵀ dO   dP = dO Vᵀ   dS = P ∘ (dP − Σ_k P_k dP_k) ∘ s′ · scale   dQ = dS K   dK = dSᵀ Q
  template <class T, class R>
  void backward(const HeadInput<T>& in, const R& rule, const HeadGradient<T>& to, Range keys,
                T* scratch) const {
    const auto& [Q, K, V, scale, batch, head, row, mask] = in;
    constexpr T none = -std::numeric_limits<T>::infinity();
    const Index S = keys.size();
    T *const s = scratch, *const slope = s + S, *const p = slope + S;
    for (Index i = 0; i < Q.rows(); ++i) {
      to.dQ.row(i).setZero();
      T D = 0;  // Σ_k P_k dP_k, over all keys: that of the weighted sum
      for (Index e = 0; e < V.cols(); ++e) D += to.dO(i, e) * to.O(i, e);
      for (Index j = 0; j < S; ++j) {
        const Position at{batch, head, row + i, keys.begin + j};
        const Dual<T> changed =
            rule.allows(at) ? rule.score(Dual<T>(scale * dot(Q, i, K, keys.begin + j), T(1)), at)
                            : Dual<T>(none);
        s[j] = changed.value, slope[j] = changed.slope;
        p[j] = s[j] == none ? T(0) : std::exp(s[j] - to.log_sum_exp[i]);
      }
      for (Index j = 0; j < S; ++j) {
        if (s[j] == none) continue;
        const Index key = keys.begin + j;
        T M = 1;
        if (mask) M = (*mask)(Position{batch, head, row + i, key});
        const T dS = p[j] * (M * dot(to.dO, i, V, key) - D) * slope[j] * scale;
        to.dV.row(key) += p[j] * M * to.dO.row(i);
        to.dK.row(key) += dS * Q.row(i);
        to.dQ.row(i) += dS * K.row(key);
      }
    }
  }
  Index segment(Index S) const { return S; }

 private:
  /// Σ_e A_ie B_je, in the order of e.
  template <class Matrix>
  static auto dot(const Matrix& A, Index i, const Matrix& B, Index j) {
    typename Matrix::Scalar sum = 0;
    for (Index e = 0; e < A.cols(); ++e) sum += A(i, e) * B(j, e);
    return sum;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
