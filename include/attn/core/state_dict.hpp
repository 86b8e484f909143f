#pragma once

#include <algorithm>
#include <attn/core/tensor.hpp>
#include <concepts>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Anything that tensors of T can be loaded from by name: a StateDict, a safetensors file.
/// `read` fills a span of exactly as many elements as the shape has, converted to T; it throws
/// where it cannot. A source where a value may be lost has `check<T>(name)` as well, which throws
/// where `read` would, so that a layer is changed whole or not at all.
template <class S, class T>
concept StateSource = requires(const S& source, const std::string& name, std::span<T> to) {
  { source.names() } -> std::convertible_to<std::vector<std::string>>;
  { source.shape(name) } -> std::convertible_to<std::vector<Index>>;
  source.read(name, to);
};

/// The entries of `source` whose names begin with `prefix` must be exactly `wanted`: pairs of a
/// name, without the prefix, and a shape.
/// Errors: ShapeError "rule; missing: …; unexpected: …; misshapen: …", naming every entry.
template <class Source, class Wanted>
void expect_entries(const std::string& rule, const Source& source, std::string_view prefix,
                    const Wanted& wanted) {
  std::string missing, unexpected, misshapen;
  const auto list = [](std::string& names, const std::string& name) {
    names += (names.empty() ? "" : ", ") + name;
  };
  std::vector<std::string> given, known;
  for (std::string& name : source.names())
    if (name.starts_with(prefix)) given.push_back(std::move(name));
  std::sort(given.begin(), given.end());
  for (const auto& [bare, shape] : wanted) {
    const std::string& name = known.emplace_back(std::string(prefix) + bare);
    if (!std::binary_search(given.begin(), given.end(), name)) list(missing, name);
    else if (const std::vector<Index> stored = source.shape(name); stored != shape)
      list(misshapen, name + " " + to_string(stored) + " instead of " + to_string(shape));
  }
  std::sort(known.begin(), known.end());
  for (const std::string& name : given)
    if (!std::binary_search(known.begin(), known.end(), name)) list(unexpected, name);
  if (missing.empty() && unexpected.empty() && misshapen.empty()) return;
  const auto or_none = [](const std::string& names) { return names.empty() ? "none" : names; };
  throw ShapeError(rule + "; missing: " + or_none(missing) +
                   "; unexpected: " + or_none(unexpected) + "; misshapen: " + or_none(misshapen));
}

/// Names, shapes and values of a model's parameters, in the order of the model, by PyTorch's names.
/// It owns its values.
template <class T>
class StateDict {
 public:
  using Scalar = T;

  /// Adds an entry, or replaces the one of that name. Errors: ShapeError if the values do not fill
  /// the shape.
  void set(const std::string& name, std::vector<Index> shape, std::span<const T> values) {
    if (checked_size(shape, sizeof(T)) != static_cast<Index>(values.size()))
      throw ShapeError("StateDict: " + name + " has " + std::to_string(values.size()) +
                       " values but shape " + to_string(shape));
    Entry entry{name, std::move(shape), Buffer<T>(static_cast<Index>(values.size()))};
    std::copy(values.begin(), values.end(), entry.values.data());
    if (const auto at = position(name); at != entries_.size()) entries_[at] = std::move(entry);
    else entries_.push_back(std::move(entry));
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
  template <class U>
  void read(const std::string& name, std::span<U> to) const {
    const std::span<const T> from = values(name);
    if (from.size() != to.size())
      throw ShapeError("StateDict: " + name + " has " + std::to_string(from.size()) +
                       " values, not " + std::to_string(to.size()));
    std::transform(from.begin(), from.end(), to.begin(),
                   [](T value) { return static_cast<U>(value); });
  }

 private:
  struct Entry {
    std::string name;
    std::vector<Index> shape;
    Buffer<T> values;
  };
  std::size_t position(const std::string& name) const {
    return static_cast<std::size_t>(std::find_if(entries_.begin(), entries_.end(),
                                                 [&](const Entry& e) { return e.name == name; }) -
                                    entries_.begin());
  }
  const Entry& find(const std::string& name) const {
    const auto at = position(name);
    if (at == entries_.size()) throw Error("StateDict: there is no entry " + name);
    return entries_[at];
  }

  std::vector<Entry> entries_;
};

}  // namespace ATTN_ABI
}  // namespace attn
