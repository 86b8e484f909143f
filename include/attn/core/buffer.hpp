#pragma once

#include <algorithm>
#include <attn/core/config.hpp>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace attn::inline ATTN_ABI {

/// `size` numbers at a 64-byte boundary, a cache line and the widest vector, zero at the start. Copies are deep.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>, "a buffer holds plain numbers");

 public:
  static constexpr std::align_val_t alignment{64};

  Buffer() = default;
  explicit Buffer(Index size) : data_(allocate(size)), size_(size) { std::fill_n(data(), size, T{}); }
  Buffer(const Buffer& other) : data_(allocate(other.size_)), size_(other.size_) { std::copy_n(other.data(), size_, data()); }
  Buffer(Buffer&& other) noexcept : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(const Buffer& other) {
    if (size_ != other.size_) return *this = Buffer(other);
    std::copy_n(other.data(), size_, data());  // into the memory that is there: a tensor assigned in a loop allocates nothing
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
  struct Delete {
    void operator()(T* data) const { ::operator delete(data, alignment); }
  };
  using Pointer = std::unique_ptr<T, Delete>;
  static Pointer allocate(Index size) {
    return Pointer(size > 0 ? static_cast<T*>(::operator new(static_cast<std::size_t>(size) * sizeof(T), alignment)) : nullptr);
  }

  Pointer data_;
  Index size_ = 0;
};

}  // namespace attn::inline ATTN_ABI
