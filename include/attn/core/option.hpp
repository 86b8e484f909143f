#pragma once

#include <attn/core/error.hpp>
#include <sstream>
#include <string>

namespace attn {
inline namespace ATTN_ABI {

/// Errors: OptionError "Layer: option = value must be rule." where the value is not good.
template <class Value>
void expect_option(bool good, const char* layer, const char* option, Value value,
                   const std::string& rule) {
  if (good) return;
  std::ostringstream sentence;
  sentence << layer << ": " << option << " = " << value << " must be " << rule;
  throw OptionError(sentence.str());
}

}  // namespace ATTN_ABI
}  // namespace attn
