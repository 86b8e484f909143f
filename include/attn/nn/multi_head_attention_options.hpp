#pragma once

#include <attn/core/option.hpp>
#include <attn/core/range.hpp>
#include <attn/position/rotary_options.hpp>
#include <limits>
#include <optional>

namespace attn {
inline namespace ATTN_ABI {

/// PyTorch's options, and the paper's head dimensions: d_k of queries and keys, d_v of values, each
/// by default embed_dim / num_heads. The others are those of decoder-only models: rotary positions,
/// and RMSNorms of each head of queries and keys before their rotation [Henry20].
struct MultiHeadAttentionOptions {
  Index embed_dim, num_heads;
  std::optional<Index> num_kv_heads = std::nullopt;  ///< G, by default num_heads; must divide it
  /// Widths of key and value, by default embed_dim.
  std::optional<Index> kdim = std::nullopt, vdim = std::nullopt;
  bool bias = true;
  std::optional<Index> d_k = std::nullopt, d_v = std::nullopt;
  double dropout = 0;                           ///< of the attention weights, see AttentionOptions
  std::optional<bool> out_bias = std::nullopt;  ///< of out_proj, by default `bias`
  /// Weights and biases of q, k and v apart, whatever the widths.
  bool separate_projections = false;
  std::optional<RotaryOptions> rotary = std::nullopt;  ///< its head_dim is d_k
  std::optional<double> qk_norm_eps = std::nullopt;

  Index H() const { return num_heads; }
  Index G() const { return num_kv_heads.value_or(num_heads); }
  Index key_dim() const { return d_k.value_or(embed_dim / num_heads); }
  Index value_dim() const { return d_v.value_or(embed_dim / num_heads); }
  Index key_width() const { return kdim.value_or(embed_dim); }
  Index value_width() const { return vdim.value_or(embed_dim); }
  bool projects_jointly() const {
    return !separate_projections && key_width() == embed_dim && value_width() == embed_dim;
  }

  /// Rows of in_proj_weight and in_proj_bias.
  Range query_rows() const { return {0, H() * key_dim()}; }
  Range key_rows() const { return {query_rows().end, query_rows().end + G() * key_dim()}; }
  Range value_rows() const { return {key_rows().end, key_rows().end + G() * value_dim()}; }

  /// These options. Errors: OptionError for sizes that do not fit each other.
  const MultiHeadAttentionOptions& checked() const {
    const char* const layer = "MultiHeadAttention";
    expect_option(num_heads > 0, layer, "num_heads", num_heads, "at least 1");
    const std::string heads = "num_heads = " + std::to_string(num_heads);
    expect_option(embed_dim > 0 && ((d_k && d_v) || embed_dim % num_heads == 0), layer, "embed_dim",
                  embed_dim, "a positive multiple of " + heads);
    expect_option(d_k.value_or(1) > 0, layer, "d_k", d_k.value_or(1), "at least 1");
    expect_option(d_v.value_or(1) > 0, layer, "d_v", d_v.value_or(1), "at least 1");
    expect_option(dropout >= 0 && dropout <= 1, layer, "dropout", dropout,
                  "at least 0 and at most 1");
    if (G() <= 0 || num_heads % G() != 0)
      throw OptionError("MultiHeadAttention: num_kv_heads = " + std::to_string(G()) +
                        " must divide " + heads);
    for (const Index dim : {d_k.value_or(1), d_v.value_or(1)})
      if (dim > std::numeric_limits<Index>::max() / (4 * num_heads))
        throw OptionError("MultiHeadAttention: " + heads + " of head dimension " +
                          std::to_string(dim) + " must be fewer than an Index can count");
    if (rotary && rotary->head_dim != 0 && rotary->head_dim != key_dim())
      throw OptionError(
          "MultiHeadAttention: rotary's head_dim = " + std::to_string(rotary->head_dim) +
          " must be that of the queries, " + std::to_string(key_dim()) + ", or left out");
    expect_option(kdim.value_or(1) > 0, layer, "kdim", kdim.value_or(1), "at least 1");
    expect_option(vdim.value_or(1) > 0, layer, "vdim", vdim.value_or(1), "at least 1");
    return *this;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
