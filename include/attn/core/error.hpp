#pragma once

#include <attn/core/config.hpp>
#include <stdexcept>

// Outside of ATTN_ABI on purpose: what one part of a program throws, a part that is compiled for
// another instruction set can catch.
namespace attn {

/// The base of all exceptions of this library. `what()` is one sentence that names the function,
/// the argument, what it got and what it expected.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Extents that do not fit each other, or that cannot be extents.
struct ShapeError : Error {
  using Error::Error;
};

/// An option outside its range, or a token id outside the vocabulary.
struct OptionError : Error {
  using Error::Error;
};

/// A file that cannot be read or written, or that violates its format.
struct FileError : Error {
  using Error::Error;
};

}  // namespace attn
