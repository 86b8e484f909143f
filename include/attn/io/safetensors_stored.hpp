#pragma once

#include <attn/gemm/stored_matrix.hpp>
#include <attn/io/byte_order.hpp>
#include <attn/io/sharded_safetensors.hpp>
#include <attn/nn/language_model_names.hpp>
#include <attn/parallel/executor.hpp>
#include <bit>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The weights in a folder of Hugging Face, of which matrices of 16 bits may be kept as they are.
class StoredSafeTensors {
 public:
  StoredSafeTensors(const ShardedSafeTensors& source, ParameterNames names)
      : source_(source), names_(names) {}

  std::vector<std::string> names() const { return source_.names(); }
  const std::vector<Index>& shape(const std::string& name) const { return source_.shape(name); }
  template <class T>
  void read(const std::string& name, std::span<T> to) const {
    source_.read(name, to);
  }
  /// A weight (out, in) of F16 or BF16, also where it lies transposed in the file. Its part of the
  /// file then leaves memory.
  std::optional<StoredMatrix> stored(const std::string& name) const {
    if (shape(name).size() != 2) return std::nullopt;
    const std::string& type = source_.file(name).dtype_name(name);
    if (type == "F16") return as<float16>(name, Storage::float16);
    if (type == "BF16") return as<bfloat16>(name, Storage::bfloat16);
    return std::nullopt;
  }

 private:
  template <class Stored>
  StoredMatrix as(const std::string& name, Storage storage) const {
    const Index rows = shape(name)[0], columns = shape(name)[1];
    const bool transposed = is_transposed(names_, name);
    StoredMatrix matrix({storage}, transposed ? columns : rows, transposed ? rows : columns);
    const SafeTensors& file = source_.file(name);
    const std::span<const std::byte> bytes = file.bytes(name);
    parallel_for(matrix.rows(), [&](Index r) {
      for (Index k = 0; k < matrix.columns(); ++k) {
        const Index i = transposed ? k * columns + r : r * columns + k;
        const std::uint64_t bits =
            from_little_endian(bytes.subspan(2 * static_cast<std::size_t>(i), 2));
        matrix.set(r, k, std::bit_cast<Stored>(static_cast<std::uint16_t>(bits)));
      }
    });
    file.release(bytes);
    return matrix;
  }

  const ShardedSafeTensors& source_;
  ParameterNames names_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
