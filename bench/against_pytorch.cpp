// The library as a few C functions, for against_pytorch.py. Memory is the caller's; handles are freed by the process's end.
#include <attn/attn.hpp>

namespace {

using attn::Index;
using View = attn::TensorView<const float, 4>;

template <class Layer>
struct Module {
  Layer layer;
  attn::Tensor<float, 3> y{};
};
using MultiHead = Module<attn::MultiHeadAttention<float>>;
using Encoder = Module<attn::TransformerEncoder<float>>;

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

void* attn_state() { return new attn::StateDict<float>; }
void attn_state_set(void* state, const char* name, const Index* shape, Index rank, const float* values) {
  const std::vector<Index> extents(shape, shape + rank);
  static_cast<attn::StateDict<float>*>(state)->set(name, extents, {values, static_cast<std::size_t>(attn::checked_size(extents))});
}

void* attn_multi_head(const void* state, Index D, Index H) {
  auto* made = new MultiHead{attn::MultiHeadAttention<float>({.embed_dim = D, .num_heads = H})};
  made->layer.load_state_dict(*static_cast<const attn::StateDict<float>*>(state));
  return made;
}
/// Returns the output (B, L, D), which the layer keeps until the next call.
const float* attn_multi_head_run(void* handle, const float* x, Index B, Index L, Index D) {
  auto* made = static_cast<MultiHead*>(handle);
  const auto input = sequence(x, B, L, D);
  made->y = made->layer(input, input, input);
  return made->y.data();
}

void* attn_encoder(const void* state, Index D, Index H, Index F, Index N, int gelu) {
  const attn::TransformerLayerOptions layer{
      .d_model = D, .nhead = H, .dim_feedforward = F, .activation = gelu ? attn::Activation::gelu : attn::Activation::relu};
  auto* made = new Encoder{attn::TransformerEncoder<float>({.layer = layer, .num_layers = N})};
  made->layer.load_state_dict(*static_cast<const attn::StateDict<float>*>(state));
  return made;
}
const float* attn_encoder_run(void* handle, const float* x, Index B, Index L, Index D) {
  auto* made = static_cast<Encoder*>(handle);
  made->y = made->layer(sequence(x, B, L, D));
  return made->y.data();
}
}
