#pragma once

#include <attn/core/option.hpp>
#include <attn/core/state_dict.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A number of steps, stored as a scalar of any type. Errors: ShapeError if it is no scalar,
/// OptionError if it is no integer from 0 to 2⁵³.
template <class Source>
Index read_steps(const char* kind, const Source& source, const std::string& name) {
  if (const std::vector<Index> shape = source.shape(name); !shape.empty())
    throw ShapeError(std::string(kind) + ": " + name + " " + to_string(shape) +
                     " must be a scalar, of shape ()");
  double steps = 0;
  source.read(name, std::span<double>(&steps, 1));
  expect_option(steps >= 0 && steps <= 0x1p53 && std::trunc(steps) == steps, kind, name.c_str(),
                steps, "an integer from 0 to 2^53");
  return static_cast<Index>(steps);
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
