#pragma once

#include <attn/nn/multi_head_attention.hpp>

namespace attn {
inline namespace ATTN_ABI {

struct SelfAttentionOptions {
  Index embed_dim, num_heads;
  std::optional<Index> num_kv_heads = std::nullopt;
  bool bias = true;
  double dropout = 0;
};

/// Multi-head attention in which "all of the keys, values and queries come from the same place"
/// [Vaswani17 §3.2.3]: MultiHead(x, x, x), (B, L, D) to (B, L, D). Parameters and their names are
/// those of MultiHeadAttention.
template <class T, class Kernel = Tiled>
class SelfAttention : public Module<SelfAttention<T, Kernel>, T> {
 public:
  using Functor = ScaledDotProductAttention<Kernel>;
  static constexpr const char* kind = "SelfAttention";
  MultiHeadAttention<T, Kernel> multi_head;

  explicit SelfAttention(const SelfAttentionOptions& options, const Functor& functor = Functor())
      : multi_head(with_one_source(options), functor) {}
  SelfAttention(const SelfAttentionOptions& options, Random& random,
                const Functor& functor = Functor())
      : multi_head(with_one_source(options), random, functor) {}

  template <class Self, class X, Rule R = NoMask>
  static auto forward(Self& self, const X& x, const R& rule = {}) {
    return self.multi_head(x, x, x, rule);
  }
  /// `.output`, bitwise identical to the call above, and `.weights` (B, H, L, L).
  template <class X, Rule R = NoMask>
  auto with_weights(const X& x, const R& rule = {}) const {
    return multi_head.with_weights(x, x, x, rule);
  }

  void initialize(Random& random) { multi_head.initialize(random); }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    MultiHeadAttention<T, Kernel>::visit(self.multi_head, visitor);
  }

 private:
  static MultiHeadAttentionOptions with_one_source(const SelfAttentionOptions& o) {
    return {.embed_dim = o.embed_dim,
            .num_heads = o.num_heads,
            .num_kv_heads = o.num_kv_heads,
            .bias = o.bias,
            .dropout = o.dropout};
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
