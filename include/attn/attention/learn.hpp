#pragma once

#include <attn/attention/heads.hpp>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// The gradients of what a rule learns: Σ dS · ∂rule/∂parameter over the scores that a parameter
/// changes, dS = P ∘ (dP − D). Some rows of scores are computed again, in parallel, and then added
/// one after the other, so that any parameter may belong to any scores, and threads change no bit.
/// Cost: about that of the definition, L·S·(E + Ev) without register blocks; memory for 64 rows of
/// scores.
template <class T, Rule R>
void learn(const Heads<T>& heads, const Bound<R>& rule, const HeadsGradient<T>& from) {
  struct Part {
    std::span<T> gradient;
    Index parameter;
    T value;
  };
  constexpr Index blocks = 16, rows = 4;
  const auto [B, H, L, S] = heads.scores();
  if (B * H * L * S == 0) return;
  rule.differentiate(T(0), Position{}, [](const auto& one, Position, T) {
    one.gradient();
  });  // has its memory from now on
  const Index group = H / heads.key.shape()[1];
  std::vector<std::vector<Part>> parts(static_cast<std::size_t>(blocks));
  for (Index head = 0; head < B * H; ++head) {
    const Index b = head / H, h = head % H;
    const auto Q = heads.query.matrix(b, h), K = heads.key.matrix(b, h / group),
               V = heads.value.matrix(b, h / group);
    const auto dO = from.d_output.matrix(b, h), O = from.output.matrix(b, h);
    for (Index first = 0; first < L; first += blocks * rows) {
      parallel_for(blocks, [&, S = S, L = L](Index block) {
        std::vector<Part>& found = parts[static_cast<std::size_t>(block)];
        found.clear();
        for (Index i = first + block * rows; i < std::min(L, first + (block + 1) * rows); ++i) {
          const T D = dO.row(i).dot(O.row(i)), log_sum_exp = from.log_sum_exp(b, h, i);
          for (Index j = 0; j < S; ++j) {
            const Position at{b, h, i, j};
            if (!rule.allows(at)) continue;
            const T s = heads.scale * Q.row(i).dot(K.row(j)), changed = rule.score(s, at);
            if (changed == -std::numeric_limits<T>::infinity()) continue;
            T dP = dO.row(i).dot(V.row(j));
            if (heads.mask) dP *= (*heads.mask)(at);
            const T dS = std::exp(changed - log_sum_exp) * (dP - D);
            rule.differentiate(s, at, [&](const auto& one, Position where, T slope) {
              found.push_back({one.gradient(), one.parameter(where), dS * slope});
            });
          }
        }
      });
      for (const auto& found : parts)
        for (const Part& part : found)
          if (!part.gradient.empty()) {
            if (part.parameter < 0 || part.parameter >= std::ssize(part.gradient))
              throw ShapeError("ScaledDotProductAttention: a rule's parameter " +
                               std::to_string(part.parameter) + " must be one of the " +
                               std::to_string(part.gradient.size()) + " of its gradient");
            part.gradient[static_cast<std::size_t>(part.parameter)] += part.value;
          }
    }
  }
}

}  // namespace ATTN_ABI
}  // namespace attn
