#pragma once

#include <algorithm>
#include <attn/core/workspace.hpp>
#include <memory>
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
  Buffer(const Buffer& other) : Buffer(other.size_, ForOverwrite{}) {
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
  Buffer(Index size, ForOverwrite) : data_(allocate(size)), size_(size) {}

  struct Free {
    std::size_t block_size = 0;
    void operator()(T* data) const { detail::free_block(data, block_size); }
  };
  using Pointer = std::unique_ptr<T, Free>;
  static Pointer allocate(Index size) {
    if (size == 0) return nullptr;
    const std::size_t block_size = detail::block_size(static_cast<std::size_t>(size) * sizeof(T));
    return Pointer(static_cast<T*>(detail::allocate_block(block_size)), Free{block_size});
  }

  Pointer data_;
  Index size_ = 0;
};

}  // namespace ATTN_ABI
}  // namespace attn
