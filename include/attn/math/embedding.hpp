#pragma once

#include <attn/autograd/apply.hpp>
#include <attn/parallel/executor.hpp>

namespace attn {
inline namespace ATTN_ABI {

/// y_i = factor · row ids_i of a table (V, D): ids (…) give (…, D).
/// d_table(id) += factor · Σ dy_i over every i with ids_i = id, in the order of i
/// Errors: OptionError for an id outside the vocabulary.
struct EmbeddingLookup {
  double factor;

  template <int N, class T>
  Tensor<T, N + 1> forward(const Tensor<Index, N>& ids, const Tensor<T, 2>& table) const {
    const T* const rows = table.data();
    const Index width = table.shape()[1];
    return look_up<T>(ids, table.shape(),
                      [=](Index id, T* to) { std::copy_n(rows + id * width, width, to); });
  }
  /// With a table that may be stored in fewer bits.
  template <int N, class T>
  Tensor<T, N + 1> forward(const Tensor<Index, N>& ids, const Parameter<T, 2>& table) const {
    return look_up<T>(ids, table.shape(), [&](Index id, T* to) { table.read_row(id, to); });
  }

  /// Errors: OptionError for an id outside the vocabulary.
  template <int N>
  static void check(const Tensor<Index, N>& ids, Index vocabulary) {
    for (Index i = 0; i < ids.size(); ++i)
      if (const Index id = ids.data()[i]; id < 0 || id >= vocabulary)
        throw OptionError("Embedding: token id " + std::to_string(id) +
                          " must be at least 0 and below the vocabulary's size, " +
                          std::to_string(vocabulary));
  }

  /// In parallel by columns, so that every sum has one order.
  template <class T, int M, int N>
  void backward(const Tensor<T, M>& dy, const Input<Index, N>& ids,
                const Input<T, 2>& table) const {
    const Index width = table.shape()[1];
    constexpr Index part = 64;
    const auto from = dy.as_rows();
    const TensorView<T, 2> d_table = table.sum();
    auto to = d_table.matrix();
    parallel_for((width + part - 1) / part, [&](Index p) {
      const Index begin = p * part;
      const Index n = std::min(part, width - begin);
      for (Index i = 0; i < ids.value().size(); ++i)
        to.row(ids.value().data()[i]).segment(begin, n) +=
            from.row(i).segment(begin, n) * static_cast<T>(factor);
    });
  }

 private:
  /// read_row(id, to) writes a row of the table (V, D).
  template <class T, int N, class ReadRow>
  Tensor<T, N + 1> look_up(const Tensor<Index, N>& ids, const Shape<2>& table,
                           ReadRow&& read_row) const {
    const auto [vocabulary, width] = table;
    Shape<N + 1> shape;
    std::copy(ids.shape().begin(), ids.shape().end(), shape.begin());
    shape.back() = width;
    check(ids, vocabulary);
    auto y = Tensor<T, N + 1>::for_overwrite(shape);
    for (Index i = 0; i < ids.size(); ++i) read_row(ids.data()[i], y.data() + i * width);
    y.flat() *= static_cast<T>(factor);
    return y;
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
