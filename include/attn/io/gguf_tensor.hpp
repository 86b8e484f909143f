#pragma once

#include <algorithm>
#include <attn/core/shape.hpp>
#include <attn/io/gguf_name.hpp>
#include <attn/io/gguf_types.hpp>
#include <map>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// What the header of a GGUF file says of a tensor.
struct GgufTensor {
  std::uint32_t type_number;
  const GgufType* type;      ///< null where the number is unknown
  std::vector<Index> shape;  ///< in row-major order: the file has the length of a row first
  std::uint64_t offset;      ///< of the first byte, from the beginning of the data
  std::size_t size;          ///< of the bytes; where the type is unknown, at least so many

  std::string type_name() const {
    return type ? std::string(type->name) : "type " + std::to_string(type_number);
  }
};

using GgufTensors = std::map<std::string_view, GgufTensor>;

/// The extents of a tensor. The number of elements is checked so that they can be read as double.
inline std::vector<Index> read_gguf_shape(GgufReader& reader) {
  constexpr std::uint32_t max_axes = 4;
  const auto axes = reader.integer<std::uint32_t>("the number of dimensions");
  if (axes > max_axes)
    reader.fail(reader.subject() + " has " + std::to_string(axes) +
                " dimensions and must have at most " + std::to_string(max_axes));
  std::vector<Index> shape;
  for (std::uint32_t i = 0; i < axes; ++i) {
    const auto extent = reader.integer<std::uint64_t>("a dimension");
    if (!std::in_range<Index>(extent))
      reader.fail("a dimension of " + reader.subject() + " is " + std::to_string(extent) +
                  ", which is more than this machine can address");
    shape.insert(shape.begin(), static_cast<Index>(extent));
  }
  try {
    checked_size(shape, sizeof(double));
  } catch (const ShapeError&) {
    reader.fail(reader.subject() + " has the shape " + to_string(shape) +
                ", of more elements than this machine can address");
  }
  return shape;
}

/// The bytes of a shape in a type, whose blocks must fill the rows.
inline std::size_t gguf_size(const GgufReader& reader, const GgufType& type,
                             const std::vector<Index>& shape) {
  const auto row = static_cast<std::size_t>(shape.empty() ? 1 : shape.back());
  if (row % type.block_count != 0)
    reader.fail("the rows of " + reader.subject() + " have " + std::to_string(row) +
                " values, which must be a multiple of the " + std::to_string(type.block_count) +
                " in a block of " + std::string(type.name));
  return static_cast<std::size_t>(checked_size(shape)) / type.block_count * type.block_size;
}

/// Reads what the header says of `count` tensors.
inline GgufTensors read_gguf_tensors(GgufReader& reader, std::uint64_t count,
                                     std::uint64_t alignment) {
  GgufTensors tensors;
  for (std::uint64_t i = 0; i < count; ++i) {
    reader.set_subject("tensor " + std::to_string(i));
    const std::string_view name = read_gguf_name(reader, "the name");
    if (tensors.contains(name)) reader.fail("the header has two tensors " + in_quotes(name));
    reader.set_subject("tensor " + in_quotes(name));
    GgufTensor tensor{};
    tensor.shape = read_gguf_shape(reader);
    tensor.type_number = reader.integer<std::uint32_t>("the type");
    tensor.type = gguf_type(tensor.type_number);
    if (tensor.type) tensor.size = gguf_size(reader, *tensor.type, tensor.shape);
    else tensor.size = checked_size(tensor.shape) > 0 ? 1 : 0;
    tensor.offset = reader.integer<std::uint64_t>("the offset");
    if (tensor.offset % alignment != 0)
      reader.fail("the offset " + std::to_string(tensor.offset) + " of " + reader.subject() +
                  " must be a multiple of the alignment " + std::to_string(alignment));
    tensors.emplace(name, std::move(tensor));
  }
  return tensors;
}

/// Checks that the data of all tensors lie within `data_size` bytes and fill them, one after the
/// other, with nothing but padding to the alignment between them. What follows a tensor of an
/// unknown type may begin anywhere after it.
inline void check_gguf_offsets(const GgufReader& reader, const GgufTensors& tensors,
                               std::size_t data_size, std::uint64_t alignment) {
  using Named = const GgufTensors::value_type*;
  std::vector<Named> order;
  for (const auto& named : tensors) order.push_back(&named);
  const auto extent = [](Named named) {
    return std::pair(named->second.offset, named->second.size);
  };
  std::sort(order.begin(), order.end(), [&](Named a, Named b) { return extent(a) < extent(b); });
  std::uint64_t end = 0;  // of the data before
  bool is_known = true;   // and whether this end is known
  for (const Named named : order) {
    const auto& [name, tensor] = *named;
    const std::uint64_t expected = (end + alignment - 1) / alignment * alignment;
    if (is_known ? tensor.offset != expected : tensor.offset < end)
      reader.fail("the data of tensor " + in_quotes(name) + " must begin at " +
                  std::to_string(expected) + ", where the data before it end, not at " +
                  std::to_string(tensor.offset));
    if (tensor.offset > data_size || tensor.size > data_size - tensor.offset)
      reader.fail("the data of tensor " + in_quotes(name) + " are " + std::to_string(tensor.size) +
                  " bytes from " + std::to_string(tensor.offset) + " on, but the file has " +
                  std::to_string(data_size) + " bytes of data");
    end = tensor.offset + tensor.size;
    is_known = tensor.type != nullptr;
  }
  if (is_known && data_size - end >= alignment)
    reader.fail("the tensors have " + std::to_string(end) + " bytes of data, but the file has " +
                std::to_string(data_size));
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
