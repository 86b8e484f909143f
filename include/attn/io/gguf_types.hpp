#pragma once

#include <attn/io/gguf_blocks.hpp>
#include <attn/io/gguf_k_blocks.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A type of a GGUF file's tensors: its number and name, and the values and bytes of a block.
struct GgufType {
  std::uint32_t number;
  std::string_view name;
  std::size_t block_count, block_size;
};

template <class Block>
constexpr GgufType gguf_block_type(std::uint32_t number, std::string_view name) {
  return {number, name, Block::count, Block::size};
}

/// The types that PyPI's package gguf 0.19.0 has (GGML_QUANT_SIZES). Q8_1 is missing: a block has
/// 40 bytes there and 36 in ggml, and no file holds it.
inline constexpr std::array<GgufType, 33> gguf_types{{
    {0, "F32", 1, 4},
    {1, "F16", 1, 2},
    gguf_block_type<Q4_0>(2, "Q4_0"),
    gguf_block_type<Q4_1>(3, "Q4_1"),
    gguf_block_type<Q5_0>(6, "Q5_0"),
    gguf_block_type<Q5_1>(7, "Q5_1"),
    gguf_block_type<Q8_0>(8, "Q8_0"),
    gguf_block_type<Q2_K>(10, "Q2_K"),
    gguf_block_type<Q3_K>(11, "Q3_K"),
    gguf_block_type<Q4_K>(12, "Q4_K"),
    gguf_block_type<Q5_K>(13, "Q5_K"),
    gguf_block_type<Q6_K>(14, "Q6_K"),
    {15, "Q8_K", 256, 292},
    {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74},
    {18, "IQ3_XXS", 256, 98},
    {19, "IQ1_S", 256, 50},
    {20, "IQ4_NL", 32, 18},
    {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},
    {23, "IQ4_XS", 256, 136},
    {24, "I8", 1, 1},
    {25, "I16", 1, 2},
    {26, "I32", 1, 4},
    {27, "I64", 1, 8},
    {28, "F64", 1, 8},
    {29, "IQ1_M", 256, 56},
    {30, "BF16", 1, 2},
    {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},
    {39, "MXFP4", 32, 17},
    {40, "NVFP4", 64, 36},
    {41, "Q1_0", 128, 18},
}};

/// The type of this number, or null where its blocks are not known.
inline const GgufType* gguf_type(std::uint32_t number) {
  for (const GgufType& type : gguf_types)
    if (type.number == number) return &type;
  return nullptr;
}

/// Calls f with a block of the format of this name, and tells whether there is one.
template <class F>
bool with_gguf_block(std::string_view name, F&& f) {
  const auto call_if = [&]<class Block>(std::string_view block_name, Block block) {
    if (name != block_name) return false;
    f(block);
    return true;
  };
  return call_if("Q8_0", Q8_0{}) || call_if("Q4_0", Q4_0{}) || call_if("Q4_1", Q4_1{}) ||
         call_if("Q5_0", Q5_0{}) || call_if("Q5_1", Q5_1{}) || call_if("Q2_K", Q2_K{}) ||
         call_if("Q3_K", Q3_K{}) || call_if("Q4_K", Q4_K{}) || call_if("Q5_K", Q5_K{}) ||
         call_if("Q6_K", Q6_K{});
}

/// Whether values of this type are read: it is a Dtype, or there is a format of its blocks.
inline bool is_readable_gguf_type(const GgufType& type) {
  return dtype_named(type.name) || with_gguf_block(type.name, [](auto) {});
}

/// "F32, F16, …", as an error lists what is supported.
inline std::string readable_gguf_types() {
  std::string list;
  for (const GgufType& type : gguf_types)
    if (is_readable_gguf_type(type)) list += (list.empty() ? "" : ", ") + std::string(type.name);
  return list;
}

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
