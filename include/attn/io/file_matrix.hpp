#pragma once

#include <attn/gemm/stored_matrix.hpp>
#include <attn/io/byte_order.hpp>
#include <attn/parallel/executor.hpp>
#include <cstring>
#include <optional>
#include <string_view>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// A matrix W (out, in) in a file, which has its rows one after the other, or its columns.
template <class File>
class FileMatrix {
 public:
  enum class Order { rows, columns };

  FileMatrix(const File& file, std::span<const std::byte> bytes, const Shape<2>& shape,
             Order order = Order::rows)
      : file_(file), bytes_(bytes), shape_(shape), order_(order) {}

  /// W with the numbers that the file has, where their type is F32, F16 or BF16; otherwise nothing.
  /// Row r of the file becomes row `row_of(r)`.
  template <class RowOf>
  std::optional<StoredMatrix> numbers(std::string_view type, const RowOf& row_of) const {
    if (type == "F32") return numbers<float>(Storage::float32, row_of);
    if (type == "F16") return numbers<float16>(Storage::float16, row_of);
    if (type == "BF16") return numbers<bfloat16>(Storage::bfloat16, row_of);
    return std::nullopt;
  }

  /// f(begin, end) for some rows, in parallel. Parts of the file that have been read are released.
  /// Cost: at most 4 MB of the file, or a row, are in memory at a time; of columns, all.
  template <class F>
  void for_each_part(F&& f) const {
    constexpr Index chunk = 96, most = Index{1} << 22;
    const Index part =
        order_ == Order::columns
            ? shape_[0]
            : std::max(most / std::max(row_size(), Index{1}) / chunk, Index{1}) * chunk;
    for (Index begin = 0; begin < shape_[0]; begin += part) {
      const Index end = std::min(begin + part, shape_[0]);
      parallel_for((end - begin + chunk - 1) / chunk, [&](Index c) {
        const Index first = begin + c * chunk;
        f(first, std::min(end, first + chunk));
      });
      file_.release(rows(begin, end));
    }
  }
  /// The bytes of some rows.
  std::span<const std::byte> rows(Index begin, Index end) const {
    return bytes_.subspan(static_cast<std::size_t>(begin * row_size()),
                          static_cast<std::size_t>((end - begin) * row_size()));
  }

 private:
  Index row_size() const { return std::ssize(bytes_) / std::max(shape_[0], Index{1}); }

  /// Some columns of a few rows at a time, because neighbors in a row lie apart in the matrix.
  template <class Number, class RowOf>
  StoredMatrix numbers(Storage storage, const RowOf& row_of) const {
    constexpr Index most = 64;
    StoredMatrix stored({storage}, shape_[0], shape_[1]);
    for_each_part([&](Index begin, Index end) {
      std::array<Number, most> block;
      for (Index k = 0; k < shape_[1]; k += most) {
        const std::span<Number> some(block.data(),
                                     static_cast<std::size_t>(std::min(most, shape_[1] - k)));
        for (Index r = begin; r < end; ++r) {
          read(r, k, some);
          stored.set(row_of(r), k, std::span<const Number>(some));
        }
      }
    });
    return stored;
  }
  /// Elements of row r, from column k on.
  template <class Number>
  void read(Index r, Index k, std::span<Number> to) const {
    const bool of_rows = order_ == Order::rows;
    const Index stride = of_rows ? 1 : shape_[0],
                first = of_rows ? r * shape_[1] + k : k * stride + r;
    const std::byte* from = bytes_.data() + first * Index{sizeof(Number)};
    for (Number& number : to) {
      number = number_at<Number>(from);
      from += stride * Index{sizeof(Number)};
    }
  }
  template <class Number>
  static Number number_at(const std::byte* from) {
    std::array<std::byte, sizeof(Number)> bytes;
    std::memcpy(bytes.data(), from, sizeof(Number));
    if (std::endian::native != std::endian::little) std::reverse(bytes.begin(), bytes.end());
    return std::bit_cast<Number>(bytes);
  }

  const File& file_;
  std::span<const std::byte> bytes_;
  Shape<2> shape_;
  Order order_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
