#pragma once

#include <attn/core/option.hpp>
#include <attn/core/random.hpp>
#include <attn/core/row_positions.hpp>
#include <attn/math/arithmetic.hpp>
#include <attn/math/rearrange.hpp>
#include <attn/nn/module.hpp>

namespace attn {
inline namespace ATTN_ABI {

struct LearnedPositionOptions {
  Index max_length, d_model;
};

namespace detail {

/// y = x + the rows of a table at some positions: x (…, L, D), a position for each of L.
/// dx = dy, d_table(position) += dy
struct AddRows {
  static constexpr bool keeps_inputs = false;
  RowPositions positions;

  template <class X, class T>
  auto forward(X&& x, const TensorView<const T, 2>& table) const {
    auto y = to_tensor(std::forward<X>(x));
    for_each_row(y.shape(), [&](Index row, Index position) {
      y.as_rows().row(row) += table.matrix().row(position);
    });
    return y;
  }
  template <class T, int N, class Table>
  void backward(Tensor<T, N> dy, const Input<T, N>& x, const Table& table) const {
    if (table.needs_gradient()) {
      auto sum = table.sum().matrix();
      for_each_row(dy.shape(), [&](Index row, Index position) {
        sum.row(position) += std::as_const(dy).as_rows().row(row);
      });
    }
    x.add(std::move(dy));
  }

 private:
  /// f(row of (…, L, D), its position)
  template <std::size_t N, class F>
  void for_each_row(const std::array<Index, N>& shape, F&& f) const {
    const Index L = shape[N - 2], width = shape[N - 1];
    const Index count = width > 0 ? checked_size(shape) / width : 0;
    for (Index row = 0; row < count; ++row) f(row, positions[row % L]);
  }
};

}  // namespace detail

/// PE(pos) = row pos of `weight` (max_length, d_model), which is learned; the paper finds "nearly
/// identical results" [Vaswani17 Table 3 (E); Gehring17 §3.1].
///
///   position.add_to(x, offset)     x (…, L, D) + PE(offset … offset + L − 1), recorded if x is
///   position.add_to(x, list)       x (…, L, D) + PE(position), of a list with one for each row
///   position(length, offset)       PE(offset … offset + length − 1), a view of `weight`
///
/// The weight is zero without a Random; with one, N(0, 0.02²), as Hugging Face's BERT and GPT-2
/// initialize it.
/// Errors: OptionError for sizes below 1, and for positions that are not all below max_length.
template <class T>
class LearnedPosition : public Module<LearnedPosition<T>, T> {
 public:
  static constexpr const char* kind = "LearnedPosition";
  Parameter<T, 2> weight;

  explicit LearnedPosition(const LearnedPositionOptions& options) {
    expect_option(options.max_length >= 1, kind, "max_length", options.max_length, "at least 1");
    expect_option(options.d_model >= 1, kind, "d_model", options.d_model, "at least 1");
    weight = Parameter<T, 2>({options.max_length, options.d_model});
  }
  LearnedPosition(const LearnedPositionOptions& options, Random& random)
      : LearnedPosition(options) {
    initialize(random);
  }

  TensorView<const T, 2> operator()(Index length, Index offset = 0) const {
    expect_positions(length, offset);
    return weight.value().slice(0, offset, offset + length);
  }
  Variable<T, 2> operator()(Tape<T>& tape, Index length, Index offset = 0) {
    expect_positions(length, offset);
    return slice(tape.parameter(weight), 0, offset, offset + length);
  }
  template <class X>
  auto add_to(X&& x, const RowPositions& positions = {}) const {
    return add(*this, std::forward<X>(x), positions);
  }
  template <class X>
  auto add_to(X&& x, const RowPositions& positions = {}) {
    return add(*this, std::forward<X>(x), positions);
  }

  void initialize(Random& random) { random.normal(weight.edit(), 0, 0.02); }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor&& visitor) {
    visitor("weight", self.weight);
  }

 private:
  template <class Self, class X>
  static auto add(Self& self, X&& x, const RowPositions& positions) {
    const Index length = x.shape()[std::remove_cvref_t<X>::axes - 2];
    positions.check(length, kind);
    if (positions.is_contiguous()) {
      const Index offset = positions[0];
      self.expect_positions(length, offset);
      return apply(Add{}, std::forward<X>(x), rows(self.weight, offset, offset + length));
    }
    for (Index i = 0; i < length; ++i) self.expect_positions(1, positions[i]);
    return apply(detail::AddRows{positions}, std::forward<X>(x),
                 rows(self.weight, 0, self.weight.shape()[0]));
  }
  void expect_positions(Index length, Index offset) const {
    const Index max_length = weight.shape()[0];
    if (length < 0 || offset < 0 || length > max_length - offset)
      throw OptionError(
          "LearnedPosition: length = " + std::to_string(length) +
          " and offset = " + std::to_string(offset) +
          " must be at least 0 and together at most max_length = " + std::to_string(max_length));
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
