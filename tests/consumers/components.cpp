// A program that reads weights and draws a picture.
#include <attn/attn.hpp>
#include <attn/io/safetensors.hpp>
#include <attn/plot.hpp>

#include <cstdio>

int main() {
  try {
    attn::load_safetensors("no such file.safetensors");
    std::puts("a file that is not there was read");
    return 1;
  } catch (const attn::FileError& error) {
    std::printf("as it should: %s\n", error.what());
  }
  attn::plot::attention_map(attn::tensor<float>({{{{0.25f, 0.75f}, {1.0f, 0.0f}}}}),
                            {.title = "two words"})
      .save("components.png");
}
