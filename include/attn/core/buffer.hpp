#pragma once

#include <algorithm>
#include <attn/core/memory.hpp>
#include <type_traits>
#include <utility>

namespace attn {
inline namespace ATTN_ABI {

/// `size` elements at a 64-byte boundary, initialized to zero unless they are to be overwritten
/// anyway. Copies are deep. Within a Workspace, memory is recycled.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>, "a buffer holds plain values");

 public:
  Buffer() = default;
  explicit Buffer(Index size) : Buffer(for_overwrite(size)) { std::fill_n(data(), size, T{}); }
  static Buffer for_overwrite(Index size) {
    return Buffer(detail::Memory::allocate(bytes(size)), size);
  }
  /// The same in huge pages, beside others in a block of 16 MB, if it has 4 KB or more: for buffers
  /// that are read again and again, are more together than the caches hold, and live about as long
  /// as each other, because the block is freed with the last of them. So are its copies.
  static Buffer in_shared_pages(Index size) {
    constexpr Index smallest = Index{4096} / Index{sizeof(T)};
    if (size < smallest) return for_overwrite(size);
    return Buffer(detail::Memory::in_shared_pages(bytes(size)), size);
  }
  Buffer(const Buffer& other)
      : Buffer(other.memory_.is_in_shared_pages() ? in_shared_pages(other.size_)
                                                  : for_overwrite(other.size_)) {
    std::copy_n(other.data(), size_, data());
  }
  Buffer(Buffer&& other) noexcept
      : memory_(std::move(other.memory_)), size_(std::exchange(other.size_, 0)) {}
  /// Copies into the memory that is there if the sizes are equal: a tensor that is assigned in a
  /// loop allocates nothing.
  Buffer& operator=(const Buffer& other) {
    if (size_ != other.size_) return *this = Buffer(other);
    std::copy_n(other.data(), size_, data());
    return *this;
  }
  Buffer& operator=(Buffer&& other) noexcept {
    memory_ = std::move(other.memory_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~Buffer() = default;

  T* data() { return reinterpret_cast<T*>(memory_.data()); }
  const T* data() const { return reinterpret_cast<const T*>(memory_.data()); }
  Index size() const { return size_; }

 private:
  Buffer(detail::Memory&& memory, Index size) : memory_(std::move(memory)), size_(size) {}
  static std::size_t bytes(Index size) { return static_cast<std::size_t>(size) * sizeof(T); }

  detail::Memory memory_;
  Index size_ = 0;
};

}  // namespace ATTN_ABI
}  // namespace attn
