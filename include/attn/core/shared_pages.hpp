#pragma once

#include <attn/core/buffer.hpp>
#include <cstddef>
#include <memory>
#include <mutex>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// `bytes` zeros at a 64-byte boundary, beside others in a block of 16 MB, for which the system is
/// asked for huge pages: the weights of a model are read once for each token, and most of them are
/// smaller than a huge page. A block is freed with the last piece of it.
inline std::shared_ptr<std::byte> shared_pages(Index bytes) {
  struct Block {
    Buffer<std::byte> memory;
    Index used = 0;
  };
  static std::mutex mutex;
  static std::weak_ptr<Block> current;
  constexpr Index block_bytes = Index{16} << 20;

  const std::lock_guard lock(mutex);
  std::shared_ptr<Block> block = current.lock();
  if (!block || block->used + bytes > block->memory.size()) {
    block = std::make_shared<Block>();
    block->memory = Buffer<std::byte>::for_overwrite(std::max(bytes, block_bytes));
    current = block;
  }
  std::byte* const piece = block->memory.data() + block->used;
  block->used += (bytes + 63) / 64 * 64;
  std::fill_n(piece, bytes, std::byte{0});
  return {std::move(block), piece};
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
