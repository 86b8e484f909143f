// The library as a few C functions, for against_pytorch.py. Memory is the caller's; handles are freed by the process's end.
#include <attn/attn.hpp>

namespace {

using attn::Index;
using View = attn::TensorView<const float, 4>;

struct Layer {
  attn::MultiHeadAttention<float> attention;
  attn::Tensor<float, 3> y{};
};

attn::TensorView<const float, 3> sequence(const float* x, Index B, Index L, Index D) { return {x, {B, L, D}}; }

}  // namespace

extern "C" {

void attn_set_threads(Index n) { attn::set_num_threads(n); }

void attn_attend(const float* q, const float* k, const float* v, float* o, Index B, Index H, Index L, Index S, Index E, int causal) {
  const attn::ScaledDotProductAttention attend;
  const attn::TensorView<float, 4> to(o, {B, H, L, E});
  const View query(q, {B, H, L, E}), key(k, {B, H, S, E}), value(v, {B, H, S, E});
  if (causal) attend.into(to, query, key, value, attn::Causal{});
  else attend.into(to, query, key, value);
}

void* attn_multi_head(Index D, Index H, const float* in_weight, const float* in_bias, const float* out_weight, const float* out_bias) {
  auto* layer = new Layer{attn::MultiHeadAttention<float>({.embed_dim = D, .num_heads = H})};
  attn::StateDict<float> state;
  const auto set = [&](const char* name, std::vector<Index> shape, const float* values, Index size) {
    state.set(name, std::move(shape), {values, static_cast<std::size_t>(size)});
  };
  set("in_proj_weight", {3 * D, D}, in_weight, 3 * D * D), set("in_proj_bias", {3 * D}, in_bias, 3 * D);
  set("out_proj.weight", {D, D}, out_weight, D * D), set("out_proj.bias", {D}, out_bias, D);
  layer->attention.load_state_dict(state);
  return layer;
}
/// Returns the output (B, L, D), which the layer keeps until the next call.
const float* attn_multi_head_run(void* handle, const float* x, Index B, Index L, Index D) {
  auto* layer = static_cast<Layer*>(handle);
  const auto input = sequence(x, B, L, D);
  layer->y = layer->attention(input, input, input);
  return layer->y.data();
}
}
