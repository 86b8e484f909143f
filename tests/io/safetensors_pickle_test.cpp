#include "../support/expect_error.hpp"
#include "../support/little_endian.hpp"
#include "../support/temporary_folder.hpp"

#include <attn/io/safetensors.hpp>

namespace {

std::string length(std::uint64_t n) { return little_endian<std::uint64_t>({n}); }

/// torch.save writes a zip since PyTorch 1.6, and before that wrote bare pickles.
TEST(SafeTensorsPickle, IsNotRunAndComesWithTheLineThatConvertsIt) {
  const TemporaryFolder folder;
  const std::string line =
      "python3 -c \"import sys, torch; from safetensors.torch import save_file; save_file({k: "
      "v.contiguous().clone() for k, v in "
      "torch.load(sys.argv[1], 'cpu', weights_only=True).items()}, sys.argv[2])\" ";
  const auto sentence = [&](const std::string& name, const std::string& bytes) {
    put(folder / name, bytes);
    return sentence_of<attn::FileError>([&] { attn::load_safetensors(folder / name); });
  };
  const auto want = [&](const std::string& name, const std::string& kind,
                        const std::string& old_quoted, const std::string& new_quoted) {
    return "load_safetensors: \"" + (folder / name).string() + "\": the file is a " + kind +
           ", which is a program and is not run; what torch.save wrote is converted by: " + line +
           "'" + (folder / "").string() + old_quoted + "' '" + (folder / "").string() + new_quoted +
           "'";
  };
  EXPECT_EQ(sentence("model.pt", std::string("PK\3\4\0\0\b\b\0\0\0\0", 12)),
            want("model.pt", "pickle in a zip", "model.pt", "model.safetensors"));
  EXPECT_EQ(sentence("z", std::string("PK\3\4\0\0\0\0\0\0", 10)),
            want("z", "pickle in a zip", "z", "z.safetensors"));
  EXPECT_EQ(sentence("old.bin", "\x80\2\x8A\nl\xFC\x9C\x46\xF9 j\xA8P"),
            want("old.bin", "pickle", "old.bin", "old.safetensors"));
  EXPECT_EQ(sentence("x.safetensors", "\x80\2}q\1."),
            want("x.safetensors", "pickle", "x.safetensors", "x.converted.safetensors"));
  EXPECT_EQ(sentence("it's.pt", "\x80\5N."),
            want("it's.pt", "pickle", "it'\\''s.pt", "it'\\''s.safetensors"));
}

TEST(SafeTensorsPickle, IsNotWhatBeginsLikeOne) {
  const TemporaryFolder folder;
  const auto sentence = [&](const std::string& bytes) {
    put(folder / "a", bytes);
    const std::string text =
        sentence_of<attn::FileError>([&] { attn::load_safetensors(folder / "a"); });
    return text.substr(text.find("\": ") + 3);
  };
  EXPECT_EQ(sentence("\x80\1N."), "the file has 4 bytes and must have at least 8");
  EXPECT_EQ(sentence("\x80\6N."), "the file has 4 bytes and must have at least 8");
  EXPECT_EQ(sentence("PK\3"), "the file has 3 bytes and must have at least 8");
  EXPECT_EQ(sentence(length(0x280)),
            "the header's length 640 must be at most the 0 bytes after it");
  EXPECT_EQ(sentence(length(0x04034B50) + "{"),
            "the header's length 67324752 must be at most the 1 bytes after it");
  for (const std::size_t size : {0x280u, 0x10380u}) {
    put(folder / "a", length(size) + "{" + std::string(size - 2, ' ') + "}");
    EXPECT_NO_THROW(attn::load_safetensors(folder / "a")) << size;
  }
}

}  // namespace
