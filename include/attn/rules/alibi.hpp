#pragma once

#include <attn/core/option.hpp>
#include <attn/rules/rule.hpp>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// Scores fall with distance, in each head at a rate of its own: s − slope_h · |i − j|
/// [Press22 §3]. Copies share the slopes. Where L ≠ S the alignment must be named.
/// Errors: ShapeError if there is not one slope for each query head; OptionError for a slope that
/// is not finite, as a float too.
class Alibi {
 public:
  std::optional<Align> align;

  explicit Alibi(std::vector<double> slopes, std::optional<Align> where = std::nullopt)
      : align(where), slopes_(std::make_shared<const std::vector<double>>(std::move(slopes))) {}

  /// The slopes of the paper: 2^(−8h/H) for h = 1 … H where H is a power of two; otherwise those of
  /// the power of two below, and then every other one of twice that many, as in the paper's code.
  /// Errors: OptionError if num_heads < 1.
  static std::vector<double> slopes(Index num_heads) {
    if (num_heads < 1)
      throw OptionError("Alibi: num_heads = " + std::to_string(num_heads) + " must be at least 1");
    Index power = 1;
    while (power * 2 <= num_heads) power *= 2;
    std::vector<double> result;
    for (Index h = 1; h <= power; ++h)
      result.push_back(std::exp2(-8.0 * double(h) / double(power)));
    for (Index h = 1; power + (h + 1) / 2 <= num_heads; h += 2)
      result.push_back(std::exp2(-4.0 * double(h) / double(power)));
    return result;
  }

  void check(const ScoreShape& shape) const {
    if (static_cast<Index>(slopes_->size()) != shape.heads)
      throw ShapeError("Alibi: " + std::to_string(slopes_->size()) +
                       " slopes must be one for each of the H = " + std::to_string(shape.heads) +
                       " heads");
    for (const double slope : *slopes_)
      expect_option(std::isfinite(static_cast<float>(slope)), "Alibi", "a slope", slope,
                    "finite, as a float too");
  }
  template <class T>
  T score(T s, const auto& at) const {
    using std::abs;
    return s - T((*slopes_)[static_cast<std::size_t>(at.head)]) * T(abs(at.query - at.key));
  }

 protected:
  std::shared_ptr<const std::vector<double>> slopes_;
};

}  // namespace ATTN_ABI
}  // namespace attn
