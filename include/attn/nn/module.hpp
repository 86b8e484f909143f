#pragma once

#include <attn/autograd/parameter.hpp>
#include <attn/core/state_dict.hpp>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {

/// Base of every layer. A layer says once what it is made of, by PyTorch's names,
///
///   static constexpr const char* kind = "Linear";
///   template <class Self, class Visitor>
///   static void visit(Self& self, Visitor&& visitor) { visitor("weight", self.weight); …
///   visitor("norm1", self.norm1); … }
///
/// parameters and layers alike, and has from it the names, the state and its loading; and once what
/// it computes,
///
///   template <class Self, class X>
///   static auto forward(Self& self, const X& x) { return …; }
///
/// which is what `layer(x)` gives, for tensors, and for variables, recorded: then Self must not be
/// const for its parameters to get gradients (see Tape).
template <class Layer, class T>
class Module {
 public:
  template <class... Inputs>
  auto operator()(Inputs&&... inputs) const {
    return Layer::forward(static_cast<const Layer&>(*this), std::forward<Inputs>(inputs)...);
  }
  template <class... Inputs>
  auto operator()(Inputs&&... inputs) {
    return Layer::forward(static_cast<Layer&>(*this), std::forward<Inputs>(inputs)...);
  }

  /// Every parameter, in the order of the model.
  std::vector<NamedParameter<T>> parameters() { return collect<T>(static_cast<Layer&>(*this)); }
  std::vector<NamedParameter<const T>> parameters() const {
    return collect<const T>(static_cast<const Layer&>(*this));
  }

  /// A copy of every parameter.
  StateDict<T> state_dict() const {
    StateDict<T> state;
    for (const auto& p : parameters()) state.set(p.name, p.shape, p.value);
    return state;
  }

  /// Takes the parameters from the entries of `source` whose names begin with `prefix`, which must
  /// be exactly this layer's.
  /// Errors: ShapeError naming every missing, unexpected and misshapen entry; what the source
  /// throws for a value that T cannot hold. The layer is then as it was.
  template <StateSource<T> Source>
  void load_state_dict(const Source& source, std::string_view prefix = "") {
    const std::vector<NamedParameter<T>> own = parameters();
    std::vector<std::pair<std::string, std::vector<Index>>> wanted;
    for (const auto& p : own) wanted.emplace_back(p.name, p.shape);
    detail::expect_entries(
        std::string(Layer::kind) + ": the state dict must have exactly this layer's entries",
        source, prefix, wanted);
    if constexpr (requires { source.template check<T>(std::string()); })
      for (const auto& p : own) source.template check<T>(std::string(prefix) + p.name);
    for (const auto& p : own) source.read(std::string(prefix) + p.name, p.edit());
  }

 private:
  template <class U, class Self>
  static std::vector<NamedParameter<U>> collect(Self& self) {
    std::vector<NamedParameter<U>> result;
    gather<U>(self, "", result);
    return result;
  }
  template <class U, class Self>
  static void gather(Self& layer, const std::string& prefix,
                     std::vector<NamedParameter<U>>& result) {
    std::remove_const_t<Self>::visit(layer, [&](const std::string& name, auto& part) {
      if constexpr (requires { part.stamp(); }) result.emplace_back(prefix + name, part);
      else gather<U>(part, prefix + name + ".", result);
    });
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
