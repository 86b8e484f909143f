#pragma once

#include <attn/core/state_dict.hpp>
#include <cmath>
#include <map>
#include <string_view>

namespace attn::inline ATTN_ABI {

/// The entries of `source` whose names begin with `prefix` must be exactly `wanted`, names without it and shapes.
/// Errors: ShapeError naming every missing, unexpected and misshapen entry.
template <class Source>
void expect_entries(const char* kind, const Source& source, std::string_view prefix, const std::map<std::string, std::vector<Index>>& wanted) {
  std::string missing, unexpected, misshapen;
  const auto list = [](std::string& names, const std::string& name) { names += (names.empty() ? "" : ", ") + name; };
  std::map<std::string, bool> given;
  for (const std::string& name : source.names())
    if (name.starts_with(prefix)) {
      given[name] = true;
      if (!wanted.contains(name.substr(prefix.size()))) list(unexpected, name);
    }
  for (const auto& [bare, shape] : wanted) {
    const std::string name = std::string(prefix) + bare;
    if (!given.contains(name)) list(missing, name);
    else if (const std::vector<Index> stored = source.shape(name); stored != shape)
      list(misshapen, name + " " + to_string(stored) + " instead of " + to_string(shape));
  }
  if (missing.empty() && unexpected.empty() && misshapen.empty()) return;
  const auto or_none = [](const std::string& names) { return names.empty() ? "none" : names; };
  throw ShapeError(std::string(kind) + ": the state must have exactly the entries of its parameters; missing: " + or_none(missing) +
                   "; unexpected: " + or_none(unexpected) + "; misshapen: " + or_none(misshapen));
}

/// A number of steps, stored as a scalar of any type. Errors: ShapeError if it is no scalar, OptionError if no whole number from 0 to 2⁵³.
template <class Source>
Index read_steps(const char* kind, const Source& source, const std::string& name) {
  if (const std::vector<Index> shape = source.shape(name); !shape.empty())
    throw ShapeError(std::string(kind) + ": " + name + " " + to_string(shape) + " must be a scalar, of shape ()");
  double steps = 0;
  source.read(name, std::span<double>(&steps, 1));
  if (!(steps >= 0 && steps <= 0x1p53 && std::trunc(steps) == steps))
    throw OptionError(std::string(kind) + ": " + name + " = " + std::to_string(steps) + " must be a whole number of steps");
  return static_cast<Index>(steps);
}

}  // namespace attn::inline ATTN_ABI
