#pragma once

#include <attn/attention/stored_heads.hpp>
#include <attn/core/option.hpp>
#include <variant>

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The keys or the values of a KV cache: memory for (B, G, S, d), where the rows of a head follow
/// each other, as T or stored in fewer bits.
template <class T>
class CachedHeads {
 public:
  CachedHeads() = default;
  CachedHeads(const Shape<4>& shape, std::optional<Storage> storage) : storage_(storage) {
    if (!storage) memory_ = Tensor<T, 4>::in_shared_pages(shape);
    else if (storage == Storage::bfloat16) memory_ = Tensor<bfloat16, 4>::in_shared_pages(shape);
    else if (storage == Storage::float16) memory_ = Tensor<float16, 4>::in_shared_pages(shape);
    else if (storage == Storage::int8)
      memory_ = Codes{Tensor<std::int8_t, 4>::in_shared_pages(shape),
                      Tensor<T, 3>::in_shared_pages(without_last<4>(shape))};
    else
      throw OptionError("KeyValueCache: storage = " + to_string(*storage) +
                        " must be bfloat16, float16 or int8");
  }

  const Shape<4>& shape() const {
    return std::visit([](const auto& x) -> const Shape<4>& { return x.shape(); }, memory_);
  }
  const std::optional<Storage>& storage() const { return storage_; }

  /// Writes rows `to` of sequence b from x, (rows, G·d).
  void write(Index b, Range to, const TensorView<const T, 2>& x) {
    const Index G = shape()[1], d = shape()[3];
    for (Index g = 0; g < G; ++g)
      for (Index j = 0; j < to.size(); ++j)
        write_row(row(b, g, to.begin + j), x.data() + j * x.strides()[0] + g * d, d);
  }
  /// Moves rows `from` of sequence b to its beginning.
  void move_to_front(Index b, Range from) {
    for (Index g = 0; g < shape()[1]; ++g)
      copy_rows(*this, row(b, g, from.begin), row(b, g, 0), from.size());
  }
  /// Copies the first rows of a sequence of another cache to sequence b.
  void copy(const CachedHeads& other, Index from, Index b, Index rows) {
    for (Index g = 0; g < shape()[1]; ++g)
      copy_rows(other, other.row(from, g, 0), row(b, g, 0), rows);
  }

  /// The first `rows` rows of some sequences, if they are stored as T.
  TensorView<const T, 4> heads(Range sequences, Index rows) const {
    return part(std::get<Tensor<T, 4>>(memory_), sequences, rows);
  }
  /// The same if they are stored in fewer bits.
  StoredHeads<T> stored_heads(Range sequences, Index rows) const {
    if (const auto* x = std::get_if<Tensor<bfloat16, 4>>(&memory_))
      return StoredHeads<T>(part(*x, sequences, rows));
    if (const auto* x = std::get_if<Tensor<float16, 4>>(&memory_))
      return StoredHeads<T>(part(*x, sequences, rows));
    const Codes& x = std::get<Codes>(memory_);
    return {part(x.codes, sequences, rows), part(x.scales, sequences, rows)};
  }

 private:
  using Codes = Quantized<std::int8_t, T, 4>;

  /// The number of row j of a head among all rows.
  Index row(Index b, Index g, Index j) const { return (b * shape()[1] + g) * shape()[2] + j; }

  void write_row(Index to, const T* x, Index d) {
    if (auto* codes = std::get_if<Codes>(&memory_)) {
      codes->scales.data()[to] = quantize_row(x, d, codes->codes.data() + to * d);
      return;
    }
    std::visit(
        [&](auto& memory) {
          if constexpr (!std::same_as<std::remove_reference_t<decltype(memory)>, Codes>) {
            using Stored = std::remove_reference_t<decltype(*memory.data())>;
            std::transform(x, x + d, memory.data() + to * d,
                           [](T value) { return static_cast<Stored>(value); });
          }
        },
        memory_);
  }
  /// Copies rows that follow each other, of a cache of the same storage, forward.
  void copy_rows(const CachedHeads& other, Index from, Index to, Index count) {
    const Index d = shape()[3];
    const auto copy_elements = [&](const auto& source, auto& target, Index width) {
      const auto* const first = source.data() + from * width;
      std::copy(first, first + count * width, target.data() + to * width);
    };
    std::visit(
        [&](auto& target) {
          const auto& source = std::get<std::remove_reference_t<decltype(target)>>(other.memory_);
          if constexpr (requires { target.scales; }) {
            copy_elements(source.codes, target.codes, d);
            copy_elements(source.scales, target.scales, 1);
          } else {
            copy_elements(source, target, d);
          }
        },
        memory_);
  }
  template <class U, int N>
  static TensorView<const U, N> part(const Tensor<U, N>& x, Range sequences, Index rows) {
    return x.view().slice(0, sequences.begin, sequences.end).slice(2, 0, rows);
  }

  std::optional<Storage> storage_;
  std::variant<Tensor<T, 4>, Tensor<bfloat16, 4>, Tensor<float16, 4>, Codes> memory_;
};

}  // namespace detail
}  // namespace ATTN_ABI
}  // namespace attn
