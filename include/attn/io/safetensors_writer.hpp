#pragma once

#include <attn/core/state_dict.hpp>
#include <attn/files/atomic_file.hpp>
#include <attn/io/byte_order.hpp>
#include <attn/io/safetensors_header_text.hpp>
#include <functional>
#include <map>
#include <memory>
#include <tuple>

namespace attn {
inline namespace ATTN_ABI {

/// Tensors of any types, to be written into one file: `SafeTensorsWriter{}.add("weight",
/// weight).add("ids", ids).save(path)`. Types: bool, integers, float, double, Eigen::half and
/// Eigen::bfloat16.
/// Errors: FileError, one sentence; the file is written whole or not at all, as AtomicFile does.
class SafeTensorsWriter {
 public:
  /// Copies the tensor, or moves from an rvalue.
  template <Storable T, int N>
  SafeTensorsWriter& add(const std::string& name, Tensor<T, N> tensor) {
    const auto kept = std::make_shared<const Tensor<T, N>>(std::move(tensor));
    add(name, {kept->shape().begin(), kept->shape().end()},
        std::span<const T>(kept->data(), static_cast<std::size_t>(kept->size())));
    tensors_.at(name).keeper = kept;
    return *this;
  }
  template <class T, int N>
    requires Storable<std::remove_const_t<T>>
  SafeTensorsWriter& add(const std::string& name, const TensorView<T, N>& view) {
    return add(name, view.copy());
  }
  /// Adds a scalar, which has no axes.
  template <Storable T>
  SafeTensorsWriter& add(const std::string& name, T value) {
    const auto kept = std::make_shared<const T>(value);
    add(name, {}, std::span<const T>(kept.get(), 1));
    tensors_.at(name).keeper = kept;
    return *this;
  }
  /// Adds values of any number of axes; they are not copied and must live until they are saved.
  template <Storable T>
  SafeTensorsWriter& add(const std::string& name, std::vector<Index> shape,
                         std::span<const T> values) {
    static_assert(sizeof(bool) == 1, "a BOOL of a file is written as it lies in memory");
    if (checked_size(shape, sizeof(T)) != static_cast<Index>(values.size()))
      throw ShapeError("SafeTensorsWriter: " + in_quotes(name) + " has " +
                       std::to_string(values.size()) + " values but shape " + to_string(shape));
    if (name == "__metadata__")
      throw FileError(
          "SafeTensorsWriter: the name \"__metadata__\" must not be a tensor's, the format keeps "
          "it for the metadata");
    return add_from<T>(name, std::move(shape), [values] { return values; });
  }
  /// Adds values that are asked for when they are written: `values()` gives a span of them, once
  /// for every tensor in the order of the file.
  template <Storable T>
  SafeTensorsWriter& add_from(const std::string& name, std::vector<Index> shape,
                              std::function<std::span<const T>()> values) {
    const Index bytes = checked_size(shape, sizeof(T)) * static_cast<Index>(sizeof(T));
    Item item{dtype_of<T>, std::move(shape), bytes,
              [ask = std::move(values)] { return std::as_bytes(ask()); }, nullptr};
    if (!tensors_.try_emplace(name, std::move(item)).second)
      throw FileError("SafeTensorsWriter: the name " + in_quotes(name) +
                      " must be of one tensor, but it is added twice");
    return *this;
  }

  /// Writes the file, its entries by their names; the widest types come first, so that every
  /// element is aligned.
  void save(const std::filesystem::path& path,
            const std::map<std::string, std::string>& metadata = {},
            const std::string& function = "SafeTensorsWriter") const {
    AtomicFile file(path, function);
    write(file, metadata, function);
    file.commit();
  }
  /// Writes the bytes of the file by calls of file.write.
  template <class File>
  void write(File& file, const std::map<std::string, std::string>& metadata,
             const std::string& function) const {
    std::vector<const std::pair<const std::string, Item>*> order;
    for (const auto& named : tensors_) order.push_back(&named);
    std::sort(order.begin(), order.end(), [](auto* a, auto* b) {
      return std::tie(b->second.dtype, a->first) < std::tie(a->second.dtype, b->first);
    });
    std::vector<std::pair<std::string, detail::SafeTensorsEntry>> entries;
    Index end = 0;
    for (const auto* named : order) {
      const Item& item = named->second;
      const Index begin = std::exchange(end, end + item.size);
      entries.push_back({named->first, {to_string(item.dtype), item.shape, begin, end}});
    }
    const std::string header = detail::safetensors_header_text(metadata, entries, function);
    file.write(detail::to_little_endian(header.size()));
    file.write(std::as_bytes(std::span(header)));
    for (const auto* named : order) {
      const auto size = static_cast<std::size_t>(detail::size_of(named->second.dtype));
      detail::write_little_endian(file, named->second.bytes(), size);
    }
  }

 private:
  struct Item {
    Dtype dtype;
    std::vector<Index> shape;
    Index size;  // in bytes
    std::function<std::span<const std::byte>()> bytes;
    std::shared_ptr<const void> keeper;  // owns the bytes, where the writer does
  };
  std::map<std::string, Item> tensors_;
};

/// Writes the entries of a state dict, as PyTorch's
/// `safetensors.torch.save_file(model.state_dict(), path)` does.
/// Errors: FileError; an old file is then as it was.
template <Storable T>
void save_safetensors(const std::filesystem::path& path, const StateDict<T>& state,
                      const std::map<std::string, std::string>& metadata = {}) {
  SafeTensorsWriter writer;
  for (const std::string& name : state.names())
    writer.add(name, state.shape(name), state.values(name));
  writer.save(path, metadata, "save_safetensors");
}

}  // namespace ATTN_ABI
}  // namespace attn
