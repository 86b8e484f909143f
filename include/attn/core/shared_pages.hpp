#pragma once

#include <algorithm>
#include <attn/core/workspace.hpp>
#include <memory>
#include <mutex>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Memory of many pieces, for which the system is asked for huge pages.
class PageBlock {
 public:
  explicit PageBlock(std::size_t bytes) : memory_(allocate_block(bytes)), bytes_(bytes) {}
  PageBlock(const PageBlock&) = delete;
  PageBlock& operator=(const PageBlock&) = delete;
  ~PageBlock() { free_block(memory_, bytes_); }

  /// The next `bytes`, a multiple of 64; null where so many are not left.
  std::byte* take(std::size_t bytes) {
    if (bytes > bytes_ - used_) return nullptr;
    std::byte* const piece = static_cast<std::byte*>(memory_) + used_;
    used_ += bytes;
    return piece;
  }

 private:
  void* memory_;
  std::size_t bytes_, used_ = 0;
};

/// Uninitialized memory at a 64-byte boundary, beside other pieces in a block of 16 MB in huge
/// pages: the weights and the cache of a model are read once for each token, and most of their
/// matrices are smaller than a huge page. A block is freed with the last piece of it.
inline std::shared_ptr<std::byte> shared_pages(std::size_t bytes) {
  struct Current {
    std::mutex mutex;
    std::weak_ptr<PageBlock> block;
  };
  static Current& current = *new Current;  // not destroyed: static objects may allocate at the end
  constexpr std::size_t block_bytes = std::size_t{16} << 20;

  const std::size_t size = block_size(bytes);
  const std::lock_guard lock(current.mutex);
  std::shared_ptr<PageBlock> block = current.block.lock();
  std::byte* piece = block ? block->take(size) : nullptr;
  if (!piece) {
    block = std::make_shared<PageBlock>(std::max(size, block_bytes));
    current.block = block;
    piece = block->take(size);
  }
  return {std::move(block), piece};
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
