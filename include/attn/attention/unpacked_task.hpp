#pragma once

#include <attn/attention/few_queries.hpp>
#include <attn/attention/kernel.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A task as a kernel computes it: keys and values that are stored in fewer bits are unpacked, a
/// tile at a time, into memory of `width()` elements for each key. Others stay where they are.
template <class Task>
class UnpackedTask {
  using T = typename Task::Scalar;
  template <class Rows>
  using Computed = std::conditional_t<UnpackedRows<Rows, T>, StridedRows<T>, Rows>;

 public:
  using Keys = Computed<typename Task::KeyRows>;
  using Values = Computed<typename Task::ValueRows>;
  using Unpacked = HeadTask<T, Keys, Values>;

  UnpackedTask(const Task& task, T* memory)
      : stored_(task),
        keys_(memory),
        values_(memory + (unpacks_keys ? tiled_keys * task.K.columns() : 0)),
        task_{task.Q,
              initial<Keys>(task.K),
              initial<Values>(task.V),
              task.scale,
              task.batch,
              task.head,
              task.row,
              task.keys,
              task.dropout,
              task.sinks} {}

  /// Elements of memory for each key of a tile.
  Index width() const {
    return (unpacks_keys ? stored_.K.columns() : 0) + (unpacks_values ? stored_.V.columns() : 0);
  }
  const Unpacked& task() const { return task_; }
  /// Makes the keys and values of a tile readable.
  void load(Range keys) {
    if constexpr (unpacks_keys) task_.K = unpack(stored_.K, keys, keys_);
    if constexpr (unpacks_values) task_.V = unpack(stored_.V, keys, values_);
  }

 private:
  static constexpr bool unpacks_keys = UnpackedRows<typename Task::KeyRows, T>,
                        unpacks_values = UnpackedRows<typename Task::ValueRows, T>;

  template <class Computed, class Rows>
  static Computed initial(const Rows& rows) {
    if constexpr (std::same_as<Computed, Rows>) return rows;
    else return Computed(TensorView<const T, 2>(nullptr, {0, rows.columns()}));
  }
  template <class Rows>
  static StridedRows<T> unpack(const Rows& rows, Range range, T* memory) {
    rows.unpack(range, memory);
    return StridedRows<T>(TensorView<const T, 2>(memory, {range.size(), rows.columns()}),
                          range.begin);
  }

  const Task& stored_;
  T *keys_, *values_;
  Unpacked task_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
