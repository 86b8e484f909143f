// The library as a few C functions, for against_pytorch.py. Memory is the caller's; handles are
// freed by the process's end.
#include <attn/attn.hpp>
#include <attn/train.hpp>

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

struct Training {
  attn::Transformer<float> model;
  attn::Adam<float> adam{model.parameters()};
  explicit Training(const attn::TransformerOptions& options) : model(options) {}
};

attn::TensorView<const float, 3> sequence(const float* x, Index B, Index L, Index D) {
  return {x, {B, L, D}};
}

}  // namespace

extern "C" {

void attn_set_threads(Index n) { attn::set_num_threads(n); }

void attn_attend(const float* q, const float* k, const float* v, float* o, Index B, Index H,
                 Index L, Index S, Index E, int causal) {
  const attn::ScaledDotProductAttention attend;
  const attn::TensorView<float, 4> output(o, {B, H, L, E});
  const View query(q, {B, H, L, E}), key(k, {B, H, S, E}), value(v, {B, H, S, E});
  if (causal) attend.into(output, query, key, value, attn::Causal{});
  else attend.into(output, query, key, value);
}

void* attn_state() { return new attn::StateDict<float>; }
void attn_state_set(void* state, const char* name, const Index* shape, Index rank,
                    const float* values) {
  const std::vector<Index> extents(shape, shape + rank);
  static_cast<attn::StateDict<float>*>(state)->set(
      name, extents, {values, static_cast<std::size_t>(attn::checked_size(extents))});
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
      .d_model = D,
      .nhead = H,
      .dim_feedforward = F,
      .activation = gelu ? attn::Activation::gelu : attn::Activation::relu};
  auto* made = new Encoder{attn::TransformerEncoder<float>({.layer = layer, .num_layers = N})};
  made->layer.load_state_dict(*static_cast<const attn::StateDict<float>*>(state));
  return made;
}
const float* attn_encoder_run(void* handle, const float* x, Index B, Index L, Index D) {
  auto* made = static_cast<Encoder*>(handle);
  made->y = made->layer(sequence(x, B, L, D));
  return made->y.data();
}

/// The same forward, and dq, dk, dv of Σ o ∘ d_o.
void attn_attend_with_backward(const float* q, const float* k, const float* v, const float* d_o,
                               float* o, float* dq, float* dk, float* dv, Index B, Index H, Index L,
                               Index S, Index E, int causal) {
  const attn::ScaledDotProductAttention attend;
  const View query(q, {B, H, L, E}), key(k, {B, H, S, E}), value(v, {B, H, S, E}),
      d_output(d_o, {B, H, L, E});
  const attn::TensorView<float, 4> output(o, {B, H, L, E}), d_query(dq, {B, H, L, E}),
      d_key(dk, {B, H, S, E}), d_value(dv, {B, H, S, E});
  attn::Tensor<float, 3> log_sum_exp({B, H, L});
  const auto run = [&](const auto& rule) {
    const attn::AttentionInputs<float> inputs{query, key, value};
    attend.forward(inputs, {output, std::nullopt, log_sum_exp.view()}, rule);
    attend.backward(inputs, {output, log_sum_exp, d_output}, rule, {d_query, d_key, d_value});
  };
  if (causal) run(attn::Causal{});
  else run(attn::NoMask{});
}

void* attn_training(const void* state, Index V, Index D, Index H, Index F, Index N) {
  const attn::TransformerLayerOptions layer{
      .d_model = D, .nhead = H, .dim_feedforward = F, .dropout = 0};
  auto* made = new Training({.source_vocabulary = V,
                             .target_vocabulary = V,
                             .layer = layer,
                             .num_encoder_layers = N,
                             .num_decoder_layers = N});
  made->model.load_state_dict(*static_cast<const attn::StateDict<float>*>(state));
  return made;
}
/// One step of Adam on a batch of B sources and targets of L tokens; returns the loss before it.
float attn_training_step(void* handle, const Index* source, const Index* target, const Index* next,
                         Index B, Index L, double rate) {
  auto* made = static_cast<Training*>(handle);
  const auto tokens = [B, L](const Index* ids) {
    return attn::TensorView<const Index, 2>(ids, {B, L}).copy();
  };
  attn::Tape<float> tape;
  const auto loss =
      attn::cross_entropy(made->model(tape, tokens(source), tokens(target)), tokens(next));
  made->adam.zero_grad();
  tape.backward(loss);
  made->adam.step(rate);
  return loss.value()(0);
}
}
