#pragma once

#include <algorithm>
#include <attn/core/state_source.hpp>
#include <attn/core/tensor.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// The names, shapes and values of a model's parameters, in the order of the model, by PyTorch's
/// names. It owns its values.
template <class T>
class StateDict {
 public:
  using Scalar = T;

  /// Adds an entry, or replaces the one of that name.
  /// Errors: ShapeError if there are more or fewer values than the shape has elements.
  void set(const std::string& name, std::vector<Index> shape, std::span<const T> values) {
    if (checked_size(shape, sizeof(T)) != static_cast<Index>(values.size()))
      throw ShapeError("StateDict: " + name + " has " + std::to_string(values.size()) +
                       " values but shape " + to_string(shape));
    Entry entry{name, std::move(shape), Buffer<T>(static_cast<Index>(values.size()))};
    std::copy(values.begin(), values.end(), entry.values.data());
    const std::size_t at = position(name);
    if (at == entries_.size()) entries_.push_back(std::move(entry));
    else entries_[at] = std::move(entry);
  }
  template <int N>
  void set(const std::string& name, const Tensor<T, N>& tensor) {
    set(name, {tensor.shape().begin(), tensor.shape().end()},
        {tensor.data(), static_cast<std::size_t>(tensor.size())});
  }

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const Entry& entry : entries_) result.push_back(entry.name);
    return result;
  }
  bool contains(const std::string& name) const { return position(name) != entries_.size(); }
  const std::vector<Index>& shape(const std::string& name) const { return find(name).shape; }
  std::span<const T> values(const std::string& name) const {
    const Entry& entry = find(name);
    return {entry.values.data(), static_cast<std::size_t>(entry.values.size())};
  }
  /// Copies the values of an entry, converted to U.
  /// Errors: Error if there is no such entry; ShapeError if `output` has another size.
  template <class U>
  void read(const std::string& name, std::span<U> output) const {
    const std::span<const T> stored = values(name);
    if (stored.size() != output.size())
      throw ShapeError("StateDict: " + name + " has " + std::to_string(stored.size()) +
                       " values, not " + std::to_string(output.size()));
    std::transform(stored.begin(), stored.end(), output.begin(),
                   [](T value) { return static_cast<U>(value); });
  }

 private:
  struct Entry {
    std::string name;
    std::vector<Index> shape;
    Buffer<T> values;
  };
  /// The index of an entry; the number of entries if there is none of that name.
  std::size_t position(const std::string& name) const {
    const auto has_name = [&](const Entry& entry) { return entry.name == name; };
    const auto found = std::find_if(entries_.begin(), entries_.end(), has_name);
    return static_cast<std::size_t>(found - entries_.begin());
  }
  const Entry& find(const std::string& name) const {
    const std::size_t at = position(name);
    if (at == entries_.size()) throw Error("StateDict: there is no entry " + name);
    return entries_[at];
  }

  std::vector<Entry> entries_;
};

}  // namespace ATTN_ABI
}  // namespace attn
