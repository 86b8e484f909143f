#pragma once

#include <attn/io/file_matrix.hpp>
#include <attn/io/sharded_safetensors.hpp>
#include <attn/nn/language_model_names.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The weights in a folder of Hugging Face, of which matrices may be kept as they are.
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
  /// A weight (out, in) of F32, F16 or BF16, also where it lies transposed in the file.
  std::optional<StoredMatrix> stored(const std::string& name) const {
    using Matrix = FileMatrix<SafeTensors>;
    if (shape(name).size() != 2) return std::nullopt;
    const Index rows = shape(name)[0], columns = shape(name)[1];
    const SafeTensors& file = source_.file(name);
    const Matrix matrix =
        is_transposed(names_, name)
            ? Matrix(file, file.bytes(name), {columns, rows}, Matrix::Order::columns)
            : Matrix(file, file.bytes(name), {rows, columns});
    return matrix.numbers(file.dtype_name(name), [](Index r) { return r; });
  }

 private:
  const ShardedSafeTensors& source_;
  ParameterNames names_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
