#pragma once

#include <attn/io/gguf_stored.hpp>
#include <attn/io/name_map.hpp>
#include <attn/nn/language_model_names.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The names of a GGUF file's tensors, and Hugging Face's.
inline NameMap gguf_names(ParameterNames names) {
  if (names == ParameterNames::gpt2)
    return NameMap({{"transformer.wte.{}", {"token_embd.{}"}},
                    {"transformer.wpe.{}", {"position_embd.{}"}},
                    {"transformer.h.{}.ln_1.{}", {"blk.{}.attn_norm.{}"}},
                    {"transformer.h.{}.attn.c_attn.{}", {"blk.{}.attn_qkv.{}"}},
                    {"transformer.h.{}.attn.c_proj.{}", {"blk.{}.attn_output.{}"}},
                    {"transformer.h.{}.ln_2.{}", {"blk.{}.ffn_norm.{}"}},
                    {"transformer.h.{}.mlp.c_fc.{}", {"blk.{}.ffn_up.{}"}},
                    {"transformer.h.{}.mlp.c_proj.{}", {"blk.{}.ffn_down.{}"}},
                    {"transformer.ln_f.{}", {"output_norm.{}"}},
                    {"lm_head.{}", {"output.{}"}}});
  return NameMap({{"model.embed_tokens.{}", {"token_embd.{}"}},
                  {"model.layers.{}.input_layernorm.{}", {"blk.{}.attn_norm.{}"}},
                  {"model.layers.{}.self_attn.q_proj.{}", {"blk.{}.attn_q.{}"}},
                  {"model.layers.{}.self_attn.k_proj.{}", {"blk.{}.attn_k.{}"}},
                  {"model.layers.{}.self_attn.v_proj.{}", {"blk.{}.attn_v.{}"}},
                  {"model.layers.{}.self_attn.o_proj.{}", {"blk.{}.attn_output.{}"}},
                  {"model.layers.{}.self_attn.q_norm.{}", {"blk.{}.attn_q_norm.{}"}},
                  {"model.layers.{}.self_attn.k_norm.{}", {"blk.{}.attn_k_norm.{}"}},
                  {"model.layers.{}.post_attention_layernorm.{}", {"blk.{}.ffn_norm.{}"}},
                  {"model.layers.{}.mlp.gate_proj.{}", {"blk.{}.ffn_gate.{}"}},
                  {"model.layers.{}.mlp.up_proj.{}", {"blk.{}.ffn_up.{}"}},
                  {"model.layers.{}.mlp.down_proj.{}", {"blk.{}.ffn_down.{}"}},
                  {"model.norm.{}", {"output_norm.{}"}},
                  {"lm_head.{}", {"output.{}"}}},
                 {"rope_freqs.{}"});
}

/// A GGUF file's tensors with the rows and columns that Hugging Face's have: GGUF has the two
/// elements of a rotated pair of Llama's queries and keys beside each other, and the matrices of
/// GPT-2's layers transposed.
class GgufAsHuggingFace {
 public:
  GgufAsHuggingFace(const Gguf& file, const LanguageModelOptions& options)
      : file_(file),
        heads_(options.layer.nhead),
        key_heads_(options.layer.num_kv_heads.value_or(heads_)),
        architecture_(file.metadata<std::string>("general.architecture")) {}

  std::vector<std::string> names() const { return file_.names(); }
  std::vector<Index> shape(const std::string& name) const {
    std::vector<Index> shape = file_.shape(name);
    if (is_transposed(name)) std::reverse(shape.begin(), shape.end());
    return shape;
  }
  template <class T>
  void read(const std::string& name, std::span<T> to) const {
    file_.read(name, to);
    if (is_transposed(name)) {
      transpose_in_place(to, file_.shape(name).front());
    } else if (const Index heads = paired_heads(name); heads > 0) {
      separate_pairs(to, file_.shape(name).front(), heads);
    }
  }
  /// A weight (out, in) as the file stores it, if products can keep it so.
  std::optional<StoredMatrix> stored(const std::string& name) const {
    const std::vector<Index>& shape = file_.shape(name);
    if (shape.size() != 2 || shape[0] == 0) return std::nullopt;
    const Index heads = paired_heads(name), E = heads > 0 ? shape[0] / heads : 0;
    return GgufStoredRows(file_, name).read([E](Index r) {
      return E > 0 ? r / E * E + row_in_head(r % E, E) : r;
    });
  }

 private:
  /// The heads of a matrix whose rotated pairs lie beside each other; 0 of others.
  Index paired_heads(const std::string& name) const {
    if (architecture_ != "llama") return 0;
    if (is_part(name, ".attn_q.")) return heads_;
    return is_part(name, ".attn_k.") ? key_heads_ : 0;
  }
  /// Where row i of a head of E rows goes, see separate_pairs.
  static Index row_in_head(Index i, Index E) { return i % 2 * (E / 2) + i / 2; }
  static bool is_part(const std::string& name, const char* part) {
    return name.find(part) != name.npos;
  }
  bool is_transposed(const std::string& name) const {
    if (architecture_ != "gpt2" || file_.shape(name).size() != 2) return false;
    return is_part(name, ".attn_qkv.") || is_part(name, ".attn_output.") ||
           is_part(name, ".ffn_up.") || is_part(name, ".ffn_down.");
  }
  /// Of a matrix with this many rows: rows 2i and 2i + 1 of each head become rows i and E/2 + i.
  template <class T>
  static void separate_pairs(std::span<T> matrix, Index rows, Index heads) {
    const Index E = rows / heads, columns = std::ssize(matrix) / rows;
    std::vector<T> stored(static_cast<std::size_t>(E * columns));
    for (Index h = 0; h < heads; ++h) {
      const auto head = matrix.begin() + h * E * columns;
      std::copy_n(head, E * columns, stored.begin());
      for (Index i = 0; i < E; ++i) {
        const auto to = head + row_in_head(i, E) * columns;
        std::copy_n(stored.begin() + i * columns, columns, to);
      }
    }
  }

  Gguf file_;
  Index heads_, key_heads_;
  std::string architecture_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
