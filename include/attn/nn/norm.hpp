#pragma once

#include <attn/nn/layer_norm.hpp>
#include <attn/nn/rms_norm.hpp>
#include <variant>

namespace attn {
inline namespace ATTN_ABI {

/// The norm of a layer whose options choose it: LayerNorm or RMSNorm.
template <class T>
class Norm {
 public:
  using Options = std::variant<LayerNormOptions, RMSNormOptions>;
  std::variant<LayerNorm<T>, RMSNorm<T>> layer;

  explicit Norm(const Options& options) : layer(std::visit(Make{}, options)) {}

  template <class X>
  auto operator()(X&& x) const {
    return std::visit([&](const auto& norm) { return norm(std::forward<X>(x)); }, layer);
  }
  template <class X>
  auto operator()(X&& x) {
    return std::visit([&](auto& norm) { return norm(std::forward<X>(x)); }, layer);
  }

  /// visitor(name, norm), as a part of a layer.
  template <class Self, class Visitor>
  static void visit(Self& self, const std::string& name, Visitor&& visitor) {
    std::visit([&](auto& norm) { visitor(name, norm); }, self.layer);
  }

 private:
  struct Make {
    std::variant<LayerNorm<T>, RMSNorm<T>> operator()(const LayerNormOptions& o) const {
      return LayerNorm<T>(o);
    }
    std::variant<LayerNorm<T>, RMSNorm<T>> operator()(const RMSNormOptions& o) const {
      return RMSNorm<T>(o);
    }
  };
};

}  // namespace ATTN_ABI
}  // namespace attn
