// Writes the checkpoint that the README's program loads.
#include <attn/attn.hpp>
#include <attn/io/safetensors.hpp>

int main() {
  attn::Random random{1};
  const attn::TransformerEncoder<float> encoder(
      {.layer = {.d_model = 64, .nhead = 4, .dim_feedforward = 128}, .num_layers = 2}, random);
  attn::save_safetensors("encoder.safetensors", encoder.state_dict());
}
