#pragma once

#include <attn/gemm/stored_matrix.hpp>
#include <attn/io/gguf.hpp>
#include <attn/parallel/executor.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A matrix of a GGUF file as products keep it, without another rounding: blocks with their
/// integers and scales, F16 and BF16 as they are.
class GgufStoredRows {
 public:
  GgufStoredRows(const Gguf& file, const std::string& name)
      : file_(file),
        bytes_(file.bytes(name)),
        type_(file.dtype_name(name)),
        shape_{file.shape(name)[0], file.shape(name)[1]} {}

  /// Row r of the file becomes row `row_of(r)`. Nothing for types that products do not keep, F32
  /// for example.
  /// Cost: at most 4 MB of the file, or a row, are in memory at a time.
  template <class RowOf>
  std::optional<StoredMatrix> read(const RowOf& row_of) const {
    std::optional<StoredMatrix> stored;
    if (type_ == "F16") {
      stored.emplace(WeightFormat{.storage = Storage::float16}, shape_[0], shape_[1]);
      for_each_row([&](Index r) { set_numbers<float16>(*stored, row_of(r), row(r)); });
    } else if (type_ == "BF16") {
      stored.emplace(WeightFormat{.storage = Storage::bfloat16}, shape_[0], shape_[1]);
      for_each_row([&](Index r) { set_numbers<bfloat16>(*stored, row_of(r), row(r)); });
    } else {
      with_gguf_block(type_, [&]<class Block>(Block) {
        stored.emplace(Block::format, shape_[0], shape_[1]);
        for_each_row([&](Index r) { set_blocks<Block>(*stored, row_of(r), row(r)); });
      });
    }
    return stored;
  }

 private:
  std::size_t row_size() const { return bytes_.size() / static_cast<std::size_t>(shape_[0]); }
  std::span<const std::byte> rows(Index begin, Index end) const {
    return bytes_.subspan(static_cast<std::size_t>(begin) * row_size(),
                          static_cast<std::size_t>(end - begin) * row_size());
  }
  std::span<const std::byte> row(Index r) const { return rows(r, r + 1); }
  /// In parallel, some rows at a time. Parts of the file that have been read are released.
  template <class F>
  void for_each_row(F&& f) const {
    constexpr std::size_t most = std::size_t{1} << 22;
    constexpr Index chunk = 32;
    const auto part =
        static_cast<Index>(std::max(most / std::max(row_size(), std::size_t{1}), std::size_t{1}));
    for (Index begin = 0; begin < shape_[0]; begin += part) {
      const Index end = std::min(begin + part, shape_[0]);
      parallel_for((end - begin + chunk - 1) / chunk, [&](Index c) {
        const Index first = begin + c * chunk;
        for (Index r = first; r < std::min(end, first + chunk); ++r) f(r);
      });
      file_.release(rows(begin, end));
    }
  }
  template <class Stored>
  void set_numbers(StoredMatrix& to, Index row, std::span<const std::byte> from) const {
    for (Index k = 0; k < shape_[1]; ++k) {
      const auto bits = static_cast<std::uint16_t>(
          from_little_endian(from.subspan(2 * static_cast<std::size_t>(k), 2)));
      to.set(row, k, std::bit_cast<Stored>(bits));
    }
  }
  template <class Block>
  static void set_blocks(StoredMatrix& to, Index row, std::span<const std::byte> from) {
    constexpr std::size_t parts = Block::count / Block::part_count;
    constexpr int zero =
        Block::format.storage == Storage::int4 && !Block::format.has_minimum ? 8 : 0;
    Index group = 0;
    for (std::size_t at = 0; at < from.size(); at += Block::size) {
      const std::span<const std::byte, Block::size> block(from.subspan(at, Block::size));
      for (std::size_t p = 0; p < parts; ++p) {
        auto part = Block::part(block, p);
        for (std::int8_t& q : part.q) q = static_cast<std::int8_t>(q + zero);
        to.set(row, group++, {part.scale, part.minimum, part.q.data()});
      }
    }
  }

  const Gguf& file_;
  std::span<const std::byte> bytes_;
  std::string type_;
  Shape<2> shape_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
