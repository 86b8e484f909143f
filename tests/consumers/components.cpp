// A program that reads weights, draws a picture and splits a text into tokens.
#include <attn/io/safetensors.hpp>
#include <attn/plot/image.hpp>
#include <attn/text/tokenizer.hpp>

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
  const attn::Tokenizer tokenizer(
      {.tokens = {"a", "b", "ab"}, .model = attn::BytePairs{{{"a", "b"}}}});
  std::printf("token %d\n", int(tokenizer.encode("ab").at(0)));
  return bytes > 50 && tokenizer.decode({2}) == "ab" ? 0 : 1;
}
