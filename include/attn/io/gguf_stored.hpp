#pragma once

#include <attn/io/file_matrix.hpp>
#include <attn/io/gguf.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A matrix of a GGUF file as products keep it, without another rounding: blocks with their
/// integers and scales, F32, F16 and BF16 as they are.
class GgufStoredRows {
 public:
  GgufStoredRows(const Gguf& file, const std::string& name)
      : type_(file.dtype_name(name)),
        shape_{file.shape(name)[0], file.shape(name)[1]},
        matrix_(file, file.bytes(name), shape_) {}

  /// Row r of the file becomes row `row_of(r)`. Nothing for types that products do not keep, F64
  /// for example.
  template <class RowOf>
  std::optional<StoredMatrix> read(const RowOf& row_of) const {
    std::optional<StoredMatrix> stored = matrix_.numbers(type_, row_of);
    with_gguf_block(type_, [&]<class Block>(Block) {
      stored.emplace(Block::format, shape_[0], shape_[1]);
      matrix_.for_each_part([&](Index begin, Index end) {
        for (Index r = begin; r < end; ++r)
          set_blocks<Block>(*stored, row_of(r), matrix_.rows(r, r + 1));
      });
    });
    return stored;
  }

 private:
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

  std::string type_;
  Shape<2> shape_;
  FileMatrix<Gguf> matrix_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
