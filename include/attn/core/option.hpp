#pragma once

#include <attn/core/error.hpp>
#include <sstream>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {

/// Checks an option of a layer or function. Errors: OptionError "Layer: option = value must be
/// rule" where the value is not good.
template <class Value>
void expect_option(bool good, const char* layer, const char* option, const Value& value,
                   std::string_view rule) {
  if (good) return;
  std::ostringstream sentence;
  sentence << layer << ": " << option << " = " << value << " must be " << rule;
  throw OptionError(sentence.str());
}

}  // namespace ATTN_ABI
}  // namespace attn
