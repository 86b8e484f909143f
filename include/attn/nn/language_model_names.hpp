#pragma once

#include <attn/core/state_source.hpp>
#include <attn/gemm/transpose.hpp>
#include <attn/nn/language_model_options.hpp>
#include <string>
#include <utility>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The parts of a layer by Hugging Face's names.
template <class Layer, class Visitor>
void visit_llama_layer(Layer& layer, const std::string& name, Visitor& visitor) {
  using T = typename std::remove_const_t<Layer>::Scalar;
  auto& attention = layer.self_attn;
  Norm<T>::visit(layer.norm1, name + "input_layernorm", visitor);
  const auto projection = [&](const char* letter, auto& weight, auto& bias) {
    const std::string proj = name + "self_attn." + letter + "_proj.";
    visitor(proj + "weight", *weight);
    if (bias) visitor(proj + "bias", *bias);
  };
  projection("q", attention.q_proj_weight, attention.q_proj_bias);
  projection("k", attention.k_proj_weight, attention.k_proj_bias);
  projection("v", attention.v_proj_weight, attention.v_proj_bias);
  if (attention.q_norm) visitor(name + "self_attn.q_norm", *attention.q_norm);
  if (attention.k_norm) visitor(name + "self_attn.k_norm", *attention.k_norm);
  visitor(name + "self_attn.o_proj", attention.out_proj);
  Norm<T>::visit(layer.norm2, name + "post_attention_layernorm", visitor);
  auto& network = layer.feed_forward;
  if (network.linear3) visitor(name + "mlp.gate_proj", network.linear1);
  visitor(name + "mlp.up_proj", network.linear3 ? *network.linear3 : network.linear1);
  visitor(name + "mlp.down_proj", network.linear2);
}
template <class Layer, class Visitor>
void visit_gpt2_layer(Layer& layer, const std::string& name, Visitor& visitor) {
  using T = typename std::remove_const_t<Layer>::Scalar;
  auto& attention = layer.self_attn;
  Norm<T>::visit(layer.norm1, name + "ln_1", visitor);
  visitor(name + "attn.c_attn.weight", *attention.in_proj_weight);
  if (attention.in_proj_bias) visitor(name + "attn.c_attn.bias", *attention.in_proj_bias);
  visitor(name + "attn.c_proj", attention.out_proj);
  Norm<T>::visit(layer.norm2, name + "ln_2", visitor);
  visitor(name + "mlp.c_fc", layer.feed_forward.linear1);
  visitor(name + "mlp.c_proj", layer.feed_forward.linear2);
}

/// Whether a matrix lies transposed, (in, out), in a file of these names: those of GPT-2's layers.
inline bool is_transposed(ParameterNames names, const std::string& name) {
  if (names != ParameterNames::gpt2 || !name.ends_with(".weight")) return false;
  for (const char* layer : {".attn.c_attn.", ".attn.c_proj.", ".mlp.c_fc.", ".mlp.c_proj."})
    if (name.find(layer) != name.npos) return true;
  return false;
}

/// A contiguous matrix of this many rows becomes its transpose.
template <class T>
void transpose_in_place(std::span<T> matrix, Index rows) {
  const Index size = std::ssize(matrix);
  const Buffer<T> transposed = parallel_transpose(matrix.data(), rows, rows > 0 ? size / rows : 0);
  std::copy_n(transposed.data(), size, matrix.data());
}

/// A source with the entries of a language model's parameters, whatever variant of Hugging Face's
/// names the file has: with or without the model's prefix; with buffers that are no parameters;
/// with an output layer that is the table of embeddings. Transposed matrices are transposed back.
template <class T, class Source>
class LanguageModelSource {
 public:
  LanguageModelSource(const Source& source, const LanguageModelOptions& options,
                      std::string_view prefix)
      : source_(&source), kind_(options.names) {
    const std::string root = kind_ == ParameterNames::gpt2 ? "transformer." : "model.";
    for (const std::string& full : source.names()) {
      if (!full.starts_with(prefix)) continue;
      std::string name = full.substr(prefix.size());
      if (is_buffer(name) || (options.tie_embeddings && name == "lm_head.weight")) continue;
      if (!name.starts_with(root) && name != "lm_head.weight") name = root + name;
      names_.emplace_back(std::move(name), full);
    }
    std::sort(names_.begin(), names_.end());
  }

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, full] : names_) result.push_back(name);
    return result;
  }
  std::vector<Index> shape(const std::string& name) const {
    std::vector<Index> shape = source_->shape(full(name));
    if (is_transposed(kind_, name)) std::reverse(shape.begin(), shape.end());
    return shape;
  }
  void read(const std::string& name, std::span<T> to) const {
    source_->read(full(name), to);
    if (is_transposed(kind_, name)) transpose_in_place(to, source_->shape(full(name)).front());
  }
  /// A weight (out, in) as the source stores it, if products can keep it so.
  auto stored(const std::string& name) const
    requires requires(const Source& s) { s.stored(name); }
  {
    return source_->stored(full(name));
  }
  template <class U>
  void check(const std::string& name) const
    requires requires(const Source& s) { s.template check<U>(name); }
  {
    source_->template check<U>(full(name));
  }

 private:
  static bool is_buffer(const std::string& name) {
    return name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias") ||
           name.ends_with(".rotary_emb.inv_freq");
  }
  const std::string& full(const std::string& name) const {
    return std::lower_bound(names_.begin(), names_.end(), std::pair(name, std::string()))->second;
  }

  const Source* source_;
  ParameterNames kind_;
  std::vector<std::pair<std::string, std::string>> names_;  // here, and in the source
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
