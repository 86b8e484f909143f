#pragma once

#include <algorithm>
#include <attn/core/config.hpp>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace attn {
inline namespace ATTN_ABI {

/// `size` numbers at a 64-byte boundary, a cache line and the widest vector, zero at the start
/// unless they are to be overwritten anyway. Copies are deep. Large ones ask the system for huge
/// pages, of which far fewer have to be brought in.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>, "a buffer holds plain numbers");

 public:
  static constexpr std::align_val_t alignment{64};

  Buffer() = default;
  explicit Buffer(Index size) : Buffer(size, ForOverwrite{}) { std::fill_n(data(), size, T{}); }
  static Buffer for_overwrite(Index size) { return {size, ForOverwrite{}}; }
  Buffer(const Buffer& other) : Buffer(other.size_, ForOverwrite{}) {
    std::copy_n(other.data(), size_, data());
  }
  Buffer(Buffer&& other) noexcept
      : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(const Buffer& other) {
    if (size_ != other.size_) return *this = Buffer(other);
    std::copy_n(
        other.data(), size_,
        data());  // into the memory that is there: a tensor assigned in a loop allocates nothing
    return *this;
  }
  Buffer& operator=(Buffer&& other) noexcept {
    data_ = std::move(other.data_), size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~Buffer() = default;

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  Index size() const { return size_; }

 private:
  struct ForOverwrite {};
  Buffer(Index size, ForOverwrite) : data_(allocate(size)), size_(size) {}

  struct Delete {
    std::align_val_t alignment{};
    void operator()(T* data) const { ::operator delete(data, alignment); }
  };
  using Pointer = std::unique_ptr<T, Delete>;
  static Pointer allocate(Index size) {
    if (size == 0) return nullptr;
    constexpr std::size_t huge_page = std::size_t{1} << 21;
    const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(T);
    const Delete how{bytes < 2 * huge_page ? alignment : std::align_val_t{huge_page}};
    T* const data = static_cast<T*>(::operator new(bytes, how.alignment));
#ifdef MADV_HUGEPAGE
    if (how.alignment != alignment)
      madvise(data, bytes, MADV_HUGEPAGE);  // a wish: whether it is granted does not matter
#endif
    return Pointer(data, how);
  }

  Pointer data_;
  Index size_ = 0;
};

}  // namespace ATTN_ABI
}  // namespace attn
