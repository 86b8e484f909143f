#pragma once

#include <attn/core/state_source.hpp>
#include <attn/mpi/replicas.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

/// The number of the parameter that an entry of an optimizer's state belongs to, "weight" of
/// "weight.exp_avg". Errors: Error if there is none.
template <class T>
Index parameter_of_entry(const Replicas<T>& replicas, std::string_view entry) {
  const std::string_view name = entry.substr(0, entry.rfind('.'));
  for (Index k = 0; const auto& p : replicas.parameters()) {
    if (p.name == name) return k;
    ++k;
  }
  throw Error("Replicas: there is no parameter " + std::string(name));
}

/// The state of an optimizer in `source`, of which a rank reads the elements of its shard alone.
/// It is a StateSource in which every entry has the shape of the whole.
/// Cost: the memory of the largest entry, while it is read.
template <class T, class Source>
struct ShardSource {
  const Source& source;
  const Replicas<T>& replicas;
  std::string prefix;

  std::vector<std::string> names() const { return source.names(); }
  std::vector<Index> shape(const std::string& name) const { return source.shape(name); }
  template <class U>
  void read(const std::string& name, std::span<U> output) const {
    if (name.ends_with(".step")) return source.read(name, output);
    const Index k = parameter_of_entry(replicas, std::string_view(name).substr(prefix.size()));
    const Range elements = replicas.layout().elements(k, replicas.world().rank());
    Buffer<U> whole = Buffer<U>::for_overwrite(checked_size(shape(name), sizeof(U)));
    source.read(name, std::span<U>(whole.data(), static_cast<std::size_t>(whole.size())));
    std::copy_n(whole.data() + elements.begin, elements.size(), output.begin());
  }
};

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
