#pragma once

#include <attn/core/option.hpp>
#include <attn/math/rms_norm.hpp>
#include <attn/nn/module.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// PyTorch's options; ε is by default the machine epsilon of T.
struct RMSNormOptions {
  Index normalized_shape;
  std::optional<double> eps = std::nullopt;
};

/// y = x / √(Σ x² / D + ε) ∘ weight for every row x: (…, D) to (…, D), as PyTorch's `RMSNorm` over
/// the last axis. `weight` is initialized to 1.
/// Errors: OptionError for a width below 1 or an ε below 0; ShapeError for another width.
template <class T>
class RMSNorm : public Module<RMSNorm<T>, T> {
 public:
  static constexpr const char* kind = "RMSNorm";
  Parameter<T, 1> weight;
  double eps;

  explicit RMSNorm(const RMSNormOptions& options)
      : eps(options.eps.value_or(static_cast<double>(std::numeric_limits<T>::epsilon()))) {
    expect_option(options.normalized_shape >= 1, kind, "normalized_shape", options.normalized_shape,
                  "at least 1");
    expect_option(eps >= 0 && std::isfinite(eps), kind, "eps", eps, "at least 0 and finite");
    weight = Parameter<T, 1>({options.normalized_shape});
    weight.edit().flat().setOnes();
  }

  template <class Self, class X>
  static auto forward(Self& self, X&& x) {
    return apply(RmsNormalization{self.eps}, std::forward<X>(x), self.weight);
  }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("weight", self.weight);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
