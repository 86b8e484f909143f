#pragma once

#include <algorithm>
#include <attn/core/shared_pages.hpp>
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
  explicit Buffer(Index size) : Buffer(size, ForOverwrite{}) { std::fill_n(data(), size, T{}); }
  static Buffer for_overwrite(Index size) { return {size, ForOverwrite{}}; }
  /// The same in huge pages, beside others in a block of 16 MB, if it has 4 KB or more: for buffers
  /// that are read again and again, are more together than the caches hold, and live about as long
  /// as each other, because the block is freed with the last of them. So are its copies.
  static Buffer in_shared_pages(Index size) {
    constexpr Index smallest = Index{4096} / Index{sizeof(T)};
    return size < smallest ? for_overwrite(size) : Buffer(size, InSharedPages{});
  }
  Buffer(const Buffer& other)
      : Buffer(other.data_.get_deleter().pages ? in_shared_pages(other.size_)
                                               : for_overwrite(other.size_)) {
    std::copy_n(other.data(), size_, data());
  }
  Buffer(Buffer&& other) noexcept
      : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  /// Copies into the memory that is there if the sizes are equal: a tensor that is assigned in a
  /// loop allocates nothing.
  Buffer& operator=(const Buffer& other) {
    if (size_ != other.size_) return *this = Buffer(other);
    std::copy_n(other.data(), size_, data());
    return *this;
  }
  Buffer& operator=(Buffer&& other) noexcept {
    data_ = std::move(other.data_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~Buffer() = default;

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  Index size() const { return size_; }

 private:
  struct ForOverwrite {};
  struct InSharedPages {};
  Buffer(Index size, ForOverwrite) : data_(allocate(size)), size_(size) {}
  Buffer(Index size, InSharedPages) : data_(allocate_pages(size)), size_(size) {}

  struct Free {
    std::size_t block_size = 0;
    std::shared_ptr<std::byte> pages = nullptr;  ///< where the memory is a part of them
    void operator()(T* data) const {
      if (!pages) detail::free_block(data, block_size);
    }
  };
  using Pointer = std::unique_ptr<T, Free>;
  static Pointer allocate(Index size) {
    if (size == 0) return nullptr;
    const std::size_t block_size = detail::block_size(static_cast<std::size_t>(size) * sizeof(T));
    return Pointer(static_cast<T*>(detail::allocate_block(block_size)), Free{block_size});
  }
  static Pointer allocate_pages(Index size) {
    auto pages = detail::shared_pages(static_cast<std::size_t>(size) * sizeof(T));
    T* const data = reinterpret_cast<T*>(pages.get());
    return Pointer(data, Free{0, std::move(pages)});
  }

  Pointer data_;
  Index size_ = 0;
};

}  // namespace ATTN_ABI
}  // namespace attn
