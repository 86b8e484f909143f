#pragma once

#include <attn/core/option.hpp>
#include <attn/core/state_dict.hpp>
#include <cmath>
#include <limits>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A number of steps, stored as a scalar of any type. Errors: ShapeError if it is no scalar,
/// OptionError if it is no integer from 0 to 2⁵³, or to the largest Index where that is smaller.
template <class Source>
Index read_steps(const char* kind, const Source& source, const std::string& name) {
  if (const std::vector<Index> shape = source.shape(name); !shape.empty())
    throw ShapeError(std::string(kind) + ": " + name + " " + to_string(shape) +
                     " must be a scalar, of shape ()");
  double steps = 0;
  source.read(name, std::span<double>(&steps, 1));
  constexpr bool is_wide = std::numeric_limits<Index>::digits > 53;
  constexpr double most = is_wide ? 0x1p53 : static_cast<double>(std::numeric_limits<int>::max());
  expect_option(steps >= 0 && steps <= most && std::trunc(steps) == steps, kind, name.c_str(),
                steps, is_wide ? "an integer from 0 to 2^53" : "an integer from 0 to 2^31 - 1");
  return static_cast<Index>(steps);
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
