#pragma once

#include <attn/core/storage.hpp>
#include <cstdint>

namespace attn {
inline namespace ATTN_ABI {

/// How the elements of a weight W (out, in) are stored. Integers q of 8 or 4 bits stand for
///   w = scale · q + minimum
/// with a scale, and a minimum if there is one, for `group` neighbors of a row. Of 8 bits q is −128
/// to 127; of 4 bits 0 to 15, and without a minimum w = scale · (q − 8).
struct WeightFormat {
  Storage storage;
  bool has_minimum = false;
  bool wide_scales = false;  ///< scales and minima are floats; otherwise float16
  Index group = 32;          ///< 16 or 32

  /// Bytes of an element that is a number, not an integer with a scale.
  Index number_size() const { return storage == Storage::float32 ? 4 : 2; }
  bool has_scales() const { return storage == Storage::int8 || storage == Storage::int4; }
  /// The integer that stands for 0, where there is no minimum.
  int zero() const { return storage == Storage::int4 && !has_minimum ? 8 : 0; }
};

/// A number that an element of a weight is stored as.
template <class X>
concept WeightNumber = StoredNumber<X> || std::same_as<X, float>;

/// The integers of a group, its scale, and its minimum if there is one.
/// Numerics: scale · q must be a float for every q of the storage, so that products round it once,
/// and so must be scale / 2²⁴.
struct WeightGroup {
  float scale, minimum;
  const std::int8_t* integers;
};

}  // namespace ATTN_ABI
}  // namespace attn
