#pragma once

#include <atomic>
#include <attn/core/tensor.hpp>
#include <mutex>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A tensor of zeros that has no memory before it is needed, so that a model that is loaded is
/// neither zeroed before nor in memory twice. A const one may be read by several threads.
template <class T, int N>
class LazyTensor {
 public:
  LazyTensor() = default;
  explicit LazyTensor(const Shape<N>& shape) : shape_(shape) { checked_size(shape, sizeof(T)); }
  LazyTensor(const LazyTensor& other) : shape_(other.shape_) {
    if (other.made_) make(other.tensor_);
  }
  LazyTensor(LazyTensor&& other) noexcept
      : shape_(std::exchange(other.shape_, {})),
        tensor_(std::move(other.tensor_)),
        made_(other.made_.exchange(false)) {}
  LazyTensor& operator=(const LazyTensor& other) {
    if (this == &other) return *this;
    if (other.made_) make(other.tensor_);
    else release();
    shape_ = other.shape_;
    return *this;
  }
  LazyTensor& operator=(LazyTensor&& other) noexcept {
    shape_ = std::exchange(other.shape_, {});
    tensor_ = std::move(other.tensor_);
    made_ = other.made_.exchange(false);
    return *this;
  }
  ~LazyTensor() = default;

  const Shape<N>& shape() const { return shape_; }
  const Tensor<T, N>& get() const {
    if (!made_.load(std::memory_order_acquire)) {
      const std::lock_guard lock(mutex);
      if (!made_) make(Tensor<T, N>(shape_));
    }
    return tensor_;
  }
  Tensor<T, N>& get() {
    if (!made_) make(Tensor<T, N>(shape_));
    return tensor_;
  }
  /// Memory whose every element the caller overwrites.
  Tensor<T, N>& overwrite() {
    if (!made_) make(Tensor<T, N>::for_overwrite(shape_));
    return tensor_;
  }
  /// Frees the memory.
  void release() {
    tensor_ = {};
    made_ = false;
  }

 private:
  template <class Made>
  void make(Made&& made) const {
    tensor_ = std::forward<Made>(made);
    made_.store(true, std::memory_order_release);
  }

  static inline std::mutex mutex;

  Shape<N> shape_{};
  mutable Tensor<T, N> tensor_;
  mutable std::atomic<bool> made_ = false;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
