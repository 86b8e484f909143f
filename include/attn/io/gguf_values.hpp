#pragma once

#include <attn/io/file_values.hpp>
#include <attn/io/gguf_types.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The values of a tensor of a GGUF file, in a type that `is_readable_gguf_type`.
struct GgufTensorValues {
  const MappedFile& file;
  std::span<const std::byte> bytes;  ///< of all the values
  const GgufType& type;

  /// Fills `to` with the first `to.size()` values, each converted by `convert`. Those of blocks are
  /// floats, whatever T. Where it throws, `to` holds the values of the blocks before the one with a
  /// value that is lost.
  /// Cost: at most 4 MB of the file are in memory at a time. Errors: FileError if a value is lost,
  /// a sentence that begins with `where`.
  template <class T>
  void read(std::span<T> to, const std::string& where) const {
    if (const std::optional<Dtype> dtype = dtype_named(type.name))
      return FileValues{file, bytes, *dtype}.read(to, where);
    with_gguf_block(type.name, [&]<class Block>(Block) { read_blocks<Block>(to, where); });
  }

  /// Throws where reading all the values as T would.
  template <class T>
  void check(const std::string& where) const {
    if (const std::optional<Dtype> dtype = dtype_named(type.name))
      return FileValues{file, bytes, *dtype}.template check<T>(where);
    if (is_always_kept<T, float>) return;
    std::vector<T> all(bytes.size() / type.block_size * type.block_count);
    read(std::span<T>(all), where);
  }

 private:
  template <class Block, class T>
  void read_blocks(std::span<T> to, const std::string& where) const {
    constexpr std::size_t blocks = (std::size_t{1} << 22) / Block::size;  // at a time
    for (std::size_t begin = 0; begin < to.size(); begin += blocks * Block::count) {
      const std::size_t end = std::min(begin + blocks * Block::count, to.size());
      for (std::size_t i = begin; i < end; i += Block::count)
        read_block<Block>(to.subspan(i, Block::count), i, where);
      file.release(bytes.subspan(begin / Block::count * Block::size,
                                 (end - begin) / Block::count * Block::size));
    }
  }

  /// `index` is that of the block's first value.
  template <class Block, class T>
  void read_block(std::span<T> to, std::size_t index, const std::string& where) const {
    const std::span<const std::byte, Block::size> block(
        bytes.subspan(index / Block::count * Block::size, Block::size));
    if constexpr (std::is_same_v<T, float>) {
      decode_block<Block>(block, std::span<float, Block::count>(to));
    } else {
      std::array<float, Block::count> values;
      decode_block<Block>(block, values);
      for (std::size_t i = 0; i < Block::count; ++i) {
        const std::optional<T> converted = convert<T>(values[i]);
        if (!converted) refuse_value<T>(values[i], type.name, index + i, where);
        to[i] = *converted;
      }
    }
  }
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
