#pragma once

#include <attn/core/config.hpp>
#include <stdexcept>

// Outside of ATTN_ABI on purpose: what one part of a program throws, another part compiled for
// other instructions can catch.
namespace attn {

/// What this library throws. `what()` is one sentence that names the function, the argument, what
/// it got and what it expected.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Extents that do not fit each other.
struct ShapeError : Error {
  using Error::Error;
};

/// An option outside its range, or a token id outside the vocabulary.
struct OptionError : Error {
  using Error::Error;
};

/// A file that cannot be read or written, or that is not what its format says.
struct FileError : Error {
  using Error::Error;
};

}  // namespace attn
