#pragma once

#include <attn/core/config.hpp>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {

/// The value of an option, whatever its name.
using OptionValue = std::variant<bool, double>;

/// Names of parameters, and the options that these parameters share: one of PyTorch's
/// `param_groups`. A checkpoint keeps them.
struct ParameterGroup {
  std::vector<std::string> parameters;
  std::map<std::string, OptionValue> options;
};

}  // namespace ATTN_ABI
}  // namespace attn
