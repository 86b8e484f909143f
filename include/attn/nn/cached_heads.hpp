#pragma once

#include <attn/attention/stored_heads.hpp>
#include <attn/core/option.hpp>
#include <variant>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The keys or the values of a KV cache: memory for (B, G, S, d), as T or stored in fewer bits. The
/// rows of a head follow each other, or are transposed in blocks.
template <class T>
class CachedHeads {
 public:
  CachedHeads() = default;
  /// `block`: how many rows are transposed together.
  CachedHeads(const Shape<4>& shape, std::optional<Storage> storage, Index block)
      : shape_(shape), storage_(storage), layout_{shape[3], block} {
    const Shape<4> padded{shape[0], shape[1], padded_rows(), shape[3]};
    if (!storage) memory_ = Tensor<T, 4>::in_shared_pages(padded);
    else if (storage == Storage::bfloat16) memory_ = Tensor<bfloat16, 4>::in_shared_pages(padded);
    else if (storage == Storage::float16) memory_ = Tensor<float16, 4>::in_shared_pages(padded);
    else if (storage == Storage::int8)
      memory_ = Codes{Tensor<std::int8_t, 4>::in_shared_pages(padded),
                      Tensor<T, 3>::in_shared_pages(without_last<4>(padded))};
    else
      throw OptionError("KeyValueCache: storage = " + to_string(*storage) +
                        " must be bfloat16, float16 or int8");
  }

  const Shape<4>& shape() const { return shape_; }
  const std::optional<Storage>& storage() const { return storage_; }

  /// Writes rows `to` of sequence b from x, (rows, G·d).
  void write(Index b, Range to, const TensorView<const T, 2>& x) {
    const Index G = shape()[1], d = shape()[3];
    for (Index g = 0; g < G; ++g)
      for (Index j = 0; j < to.size(); ++j)
        write_row(head(b, g), to.begin + j, x.data() + j * x.strides()[0] + g * d);
  }
  /// Moves rows `from` of sequence b, the first of which begins a block, to its beginning.
  void move_to_front(Index b, Range from) {
    for (Index g = 0; g < shape()[1]; ++g)
      copy_rows(*this, head(b, g) + from.begin, head(b, g), from.size());
  }
  /// Copies the first rows of a sequence of another cache to sequence b.
  void copy(const CachedHeads& other, Index from, Index b, Index rows) {
    for (Index g = 0; g < shape()[1]; ++g) copy_rows(other, other.head(from, g), head(b, g), rows);
  }

  /// The first `rows` rows of some sequences.
  StoredHeads<T> heads(Range sequences, Index rows) const {
    return std::visit(
        [&](const auto& x) -> StoredHeads<T> {
          if constexpr (is_codes<decltype(x)>)
            return {part(x.codes, sequences, rows), part(x.scales, sequences, rows), layout_.block};
          else return StoredHeads<T>(part(x, sequences, rows), layout_.block);
        },
        memory_);
  }

 private:
  using Codes = Quantized<std::int8_t, T, 4>;
  template <class X>
  static constexpr bool is_codes = std::same_as<std::remove_cvref_t<X>, Codes>;

  Index padded_rows() const { return in_blocks(shape_[2]); }
  /// So many rows and those after them in their block.
  Index in_blocks(Index rows) const {
    return (rows + layout_.block - 1) / layout_.block * layout_.block;
  }
  /// The number of the first row of a head among all rows.
  Index head(Index b, Index g) const { return (b * shape_[1] + g) * padded_rows(); }

  void write_row(Index head, Index j, const T* x) {
    const Index d = shape_[3];
    const auto element = [&](auto* first, Index e) -> auto& {
      return first[head * d + layout_.at(j, e)];
    };
    std::visit(
        [&](auto& memory) {
          if constexpr (is_codes<decltype(memory)>) {
            memory.scales.data()[head + j] = quantize_row(
                x, d,
                [&, codes = memory.codes.data()](Index e) -> auto& { return element(codes, e); });
          } else {
            using Stored = std::remove_reference_t<decltype(*memory.data())>;
            for (Index e = 0; e < d; ++e) element(memory.data(), e) = static_cast<Stored>(x[e]);
          }
        },
        memory_);
  }
  /// Copies rows that follow each other, from the beginning of a block to that of another, of a
  /// cache of the same storage, forward.
  void copy_rows(const CachedHeads& other, Index from, Index to, Index count) {
    const auto copy_elements = [&](const auto& source, auto& target, Index width) {
      const auto* const first = source.data() + from * width;
      std::copy(first, first + in_blocks(count) * width, target.data() + to * width);
    };
    std::visit(
        [&](auto& target) {
          const auto& source = std::get<std::remove_reference_t<decltype(target)>>(other.memory_);
          if constexpr (is_codes<decltype(target)>) {
            copy_elements(source.codes, target.codes, shape_[3]);
            copy_elements(source.scales, target.scales, 1);
          } else {
            copy_elements(source, target, shape_[3]);
          }
        },
        memory_);
  }
  template <class U, int N>
  static TensorView<const U, N> part(const Tensor<U, N>& x, Range sequences, Index rows) {
    return x.view().slice(0, sequences.begin, sequences.end).slice(2, 0, rows);
  }

  Shape<4> shape_{};
  std::optional<Storage> storage_;
  RowLayout layout_{0};
  std::variant<Tensor<T, 4>, Tensor<bfloat16, 4>, Tensor<float16, 4>, Codes> memory_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
