// A program that reads weights and draws a picture.
#include <attn/io/safetensors.hpp>
#include <attn/plot/image.hpp>

#include <cstdio>

int main() {
  try {
    attn::load_safetensors("no such file.safetensors");
    std::puts("a file that is not there was read");
    return 1;
  } catch (const attn::FileError& error) {
    std::printf("as it should: %s\n", error.what());
  }
  const std::size_t bytes = attn::plot::Image(40, 30).png().size();
  std::printf("a picture of %zu bytes\n", bytes);
  return bytes > 50 ? 0 : 1;
}
