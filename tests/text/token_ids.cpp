// Encodes texts for tests/against_tokenizers.py: token_ids TOKENIZER_JSON special|plain
//
// Reads records from standard input: the number of bytes as a little-endian u32, and a text in
// UTF-8. For each it writes two records: the ids, each a u32, and their text.
#include <attn/text.hpp>
#include <cstdio>
#include <exception>
#include <iostream>

namespace {

void write_number(std::uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8)
    std::cout.put(static_cast<char>((number >> shift) & 0xFFu));
}

bool read_number(std::uint32_t& number) {
  unsigned char bytes[4];
  if (!std::cin.read(reinterpret_cast<char*>(bytes), 4)) return false;
  number = 0;
  for (int i = 3; i >= 0; --i) number = number << 8 | bytes[i];
  return true;
}

/// The text of all tokens, as it is streamed.
std::string streamed(attn::TextStream& stream, const std::vector<attn::Index>& ids) {
  std::string text;
  for (const attn::Index id : ids) text += stream.add(id);
  return text + stream.finish();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: token_ids TOKENIZER special|plain\n";
    return 2;
  }
  try {
    const bool splits = std::string(argv[2]) == "plain";
    const attn::Tokenizer tokenizer = attn::load_tokenizer(argv[1]);
    attn::TextStream stream(tokenizer, {.skip_special_tokens = splits});
    std::ios::sync_with_stdio(false);
    std::uint32_t size = 0;
    while (read_number(size)) {
      std::string text(size, '\0');
      std::cin.read(text.data(), static_cast<std::streamsize>(size));
      const auto ids = tokenizer.encode(text, {.split_special_tokens = splits});
      write_number(static_cast<std::uint32_t>(4 * ids.size()));
      for (const attn::Index id : ids) write_number(static_cast<std::uint32_t>(id));
      const std::string decoded = streamed(stream, ids);
      write_number(static_cast<std::uint32_t>(decoded.size()));
      std::cout << decoded;
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "token_ids: " << error.what() << '\n';
    return 1;
  }
}
