#pragma once

#include <attn/core/state_dict.hpp>
#include <cmath>

namespace attn {
inline namespace ATTN_ABI {

/// A number of steps, stored as a scalar of any type. Errors: ShapeError if it is no scalar,
/// OptionError if no whole number from 0 to 2⁵³.
template <class Source>
Index read_steps(const char* kind, const Source& source, const std::string& name) {
  if (const std::vector<Index> shape = source.shape(name); !shape.empty())
    throw ShapeError(std::string(kind) + ": " + name + " " + to_string(shape) +
                     " must be a scalar, of shape ()");
  double steps = 0;
  source.read(name, std::span<double>(&steps, 1));
  if (!(steps >= 0 && steps <= 0x1p53 && std::trunc(steps) == steps))
    throw OptionError(std::string(kind) + ": " + name + " = " + std::to_string(steps) +
                      " must be a whole number of steps");
  return static_cast<Index>(steps);
}

}  // namespace ATTN_ABI
}  // namespace attn
