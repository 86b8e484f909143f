#pragma once

#include <attn/core/tensor.hpp>
#include <attn/files/atomic_file.hpp>
#include <attn/io/byte_order.hpp>
#include <attn/io/file_values.hpp>
#include <attn/io/npy_header.hpp>
#include <numeric>

namespace attn {
inline namespace ATTN_ABI {

/// The array of NumPy's .npy file
/// [https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html], converted to T by
/// `detail::convert`: `load_npy<float, 2>("weight.npy")`. It reads versions 1.0, 2.0 and 3.0,
/// either order of bytes and of axes, and the types b1 u1 u2 u4 u8 i1 i2 i4 i8 f2 f4 f8.
/// Cost: an array in Fortran's order takes its memory twice.
/// Errors: FileError if the file is not one such array or a value is lost by conversion, ShapeError
/// if the number of axes is another.
template <class T, int N>
Tensor<T, N> load_npy(const std::filesystem::path& path) {
  const std::string where = "load_npy: \"" + path.string() + "\"";
  const MappedFile file(path, "load_npy");
  const auto [header, data] = detail::split_npy(file.bytes(), where);
  if (header.shape.size() != static_cast<std::size_t>(N))
    throw ShapeError(where + " must have the number of axes that is asked for, " +
                     std::to_string(N) + ", but has the shape " + to_string(header.shape));
  Shape<N> shape;
  std::copy(header.shape.begin(), header.shape.end(), shape.begin());
  if (header.fortran_order) std::reverse(shape.begin(), shape.end());
  auto result = Tensor<T, N>::for_overwrite(shape);
  detail::FileValues{file, data, header.dtype, header.order}.read(
      std::span<T>(result.data(), static_cast<std::size_t>(result.size())), where);
  if (!header.fortran_order) return result;
  std::array<int, static_cast<std::size_t>(N)> reversed;
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  return result.permute(reversed);
}

namespace detail {

/// Writes the elements of a view in row-major order.
template <class T, int N>
void write_elements(AtomicFile& file, const TensorView<T, N>& view) {
  if (view.is_contiguous()) {
    const std::span values(view.data(), static_cast<std::size_t>(view.size()));
    return write_little_endian(file, std::as_bytes(values), sizeof(T));
  }
  if constexpr (N > 1)
    for (Index i = 0; i < view.shape()[0]; ++i) write_elements(file, view[i]);
}

}  // namespace detail

/// Writes the file that numpy.save writes on a little-endian machine, byte for byte, whatever the
/// order of bytes in this one. Types: bool, integers, Eigen::half, float and double.
/// Errors: FileError; an old file is then as it was.
template <class T, int N>
void save_npy(const std::filesystem::path& path, const TensorView<T, N>& tensor) {
  constexpr std::string_view type = detail::npy_name<std::remove_const_t<T>>();
  static_assert(!type.empty(),
                "NumPy has no such type, or it is not supported (it has no bfloat16: save float, "
                "or a safetensors file)");
  static_assert(N <= 64, "NumPy's arrays have at most 64 axes");
  const char* order = sizeof(T) == 1 ? "|" : "<";
  const std::string start = detail::npy_start(order + std::string(type), tensor.shape());
  AtomicFile file(path, "save_npy");
  file.write(std::as_bytes(std::span(start)));
  detail::write_elements(file, tensor);
  file.commit();
}
template <class T, int N>
void save_npy(const std::filesystem::path& path, const Tensor<T, N>& tensor) {
  save_npy(path, tensor.view());
}

}  // namespace ATTN_ABI
}  // namespace attn
