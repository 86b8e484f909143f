#pragma once

#include <atomic>
#include <attn/core/range.hpp>
#include <attn/gemm/product.hpp>
#include <cstdint>
#include <forward_list>
#include <mutex>

namespace attn {
inline namespace ATTN_ABI {

/// Identifies a value of a parameter: no other value has had the same version, and none will.
class Version {
 public:
  void renew() { number_ = last.fetch_add(1, std::memory_order_relaxed) + 1; }
  friend bool operator==(const Version&, const Version&) = default;

 private:
  static inline std::atomic<std::uint64_t> last = 0;
  std::uint64_t number_ = 0;
};

namespace detail {

/// The packed transposes of rows of a weight, as products read them. Each is made on first use and
/// kept until the weight has another version. A const layer may be used by several threads: they
/// share one packed form. Copies start empty.
template <class T>
class PackedRows {
 public:
  PackedRows() = default;
  PackedRows(const PackedRows&) {}
  PackedRows& operator=(const PackedRows&) {
    const std::lock_guard lock(mutex_);
    packed_.clear();
    return *this;
  }
  ~PackedRows() = default;

  /// The result is valid until the weight changes. Packing is serial: while the mutex is held, no
  /// other thread may be waited for.
  const PackedMatrix<T>& get(const Tensor<T, 2>& weight, Version version, Range rows) const {
    const std::lock_guard lock(mutex_);
    if (version_ != version) packed_.clear();
    version_ = version;
    for (const Entry& entry : packed_)
      if (entry.rows.begin == rows.begin && entry.rows.end == rows.end &&
          entry.matrix.instruction_set() == instruction_set())
        return entry.matrix;
    packed_.push_front({rows, PackedMatrix<T>::transposed(weight.slice(0, rows.begin, rows.end))});
    return packed_.front().matrix;
  }

 private:
  struct Entry {
    Range rows;
    PackedMatrix<T> matrix;
  };

  mutable std::mutex mutex_;
  mutable Version version_;
  mutable std::forward_list<Entry> packed_;
};

/// Parameters of other ranks have no packed form.
struct NotPacked {};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
