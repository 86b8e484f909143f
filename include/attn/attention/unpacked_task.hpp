#pragma once

#include <attn/attention/few_queries.hpp>
#include <attn/attention/kernel.hpp>
#include <attn/attention/loaded_rows.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A task as a kernel computes it: stored keys and values are unpacked, a tile at a time, into
/// memory of `size()` elements, unless few queries read them as they are stored. Others stay where
/// they are.
template <class Task>
class UnpackedTask {
  using T = typename Task::Scalar;
  static constexpr bool unpacks_keys = UnpackedRows<typename Task::KeyRows, T>,
                        unpacks_values = UnpackedRows<typename Task::ValueRows, T>;

 public:
  using Keys = std::conditional_t<unpacks_keys, LoadedKeys<T>, typename Task::KeyRows>;
  using Values = std::conditional_t<unpacks_values, LoadedValues<T>, typename Task::ValueRows>;
  using Unpacked = HeadTask<T, Keys, Values>;

  UnpackedTask(const Task& task, T* memory)
      : stored_(task),
        keys_(memory),
        values_(memory + (unpacks_keys ? unpacked_keys * task.K.columns() : 0)),
        task_{task.Q,    Keys(task.K), Values(task.V), task.scale,   task.batch,
              task.head, task.row,     task.keys,      task.dropout, task.sinks} {}

  /// Elements of memory for a tile, where a key and its value have so many that are unpacked.
  static constexpr Index size(Index unpacked) { return unpacked_keys * unpacked; }
  Index size() const {
    return size((unpacks_keys ? stored_.K.columns() : 0) +
                (unpacks_values ? stored_.V.columns() : 0));
  }
  const Unpacked& task() const { return task_; }
  /// Makes the keys and values of a tile readable. `masked`: some may be masked.
  void load(Range keys, TileReaders readers, bool masked) {
    if constexpr (unpacks_keys) task_.K.load(keys, readers, keys_);
    if constexpr (unpacks_values) task_.V.load(keys, readers, masked, values_);
  }

 private:
  static constexpr Index unpacked_keys = tiled_keys + key_block;

  const Task& stored_;
  T *keys_, *values_;
  Unpacked task_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
