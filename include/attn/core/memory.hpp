#pragma once

#include <attn/core/shared_pages.hpp>
#include <utility>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// Owns uninitialized bytes at a 64-byte boundary: a block of its own, which a Workspace recycles,
/// or a piece of pages that it shares. Buffers of every type keep their elements in one.
class Memory {
 public:
  Memory() = default;
  [[gnu::noinline]] static Memory allocate(std::size_t bytes) {
    Memory memory;
    if (bytes == 0) return memory;
    memory.size_ = block_size(bytes);
    memory.data_ = static_cast<std::byte*>(allocate_block(memory.size_));
    return memory;
  }
  [[gnu::noinline]] static Memory in_shared_pages(std::size_t bytes) {
    Memory memory;
    memory.pages_ = shared_pages(bytes);
    memory.data_ = memory.pages_.get();
    return memory;
  }
  Memory(Memory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        pages_(std::move(other.pages_)) {}
  Memory& operator=(Memory&& other) noexcept {
    Memory taken(std::move(other));
    std::swap(data_, taken.data_);
    std::swap(size_, taken.size_);
    pages_.swap(taken.pages_);
    return *this;
  }
  ~Memory() {
    if (data_) release();
  }

  std::byte* data() const { return data_; }
  /// Of a block of its own, a multiple of 64; 0 for a piece of shared pages.
  std::size_t size() const { return size_; }
  bool is_in_shared_pages() const { return pages_ != nullptr; }
  [[gnu::noinline]] void release() noexcept {
    if (size_ > 0) free_block(data_, size_);
    data_ = nullptr;
    size_ = 0;
    pages_.reset();
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::shared_ptr<std::byte> pages_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
