#pragma once

#include <attn/plot/figure.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {

/// What `attention_map` shows, and how it is labeled.
struct AttentionMapOptions {
  std::vector<std::string> queries{};  ///< labels of the rows; by default numbers from 0
  std::vector<std::string> keys{};     ///< labels of the columns; by default numbers from 0
  std::string title{};
  Index batch = 0;  ///< the item of weights (B, H, L, S) that is shown, 0 to B − 1
  std::optional<Range>
      range{};      ///< of the colors; by default each panel's, 0 to its largest weight
  int columns = 0;  ///< of the grid of heads; 0: as many as suit them
};

namespace detail {

inline void require_words(const std::vector<std::string>& words, Index extent, const char* name,
                          std::span<const Index> shape) {
  if (!words.empty() && static_cast<Index>(words.size()) != extent)
    throw ShapeError("attention_map: " + std::to_string(words.size()) + " " + name +
                     " must be as many as the " + std::to_string(extent) + " of weights " +
                     to_string(shape));
}

inline void require_attention(std::span<const Index> shape, const AttentionMapOptions& options) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end())
    throw ShapeError("attention_map: weights " + to_string(shape) + " must not be empty");
  require_words(options.queries, shape[shape.size() - 2], "queries", shape);
  require_words(options.keys, shape[shape.size() - 1], "keys", shape);
}

inline HeatMap attention_panel(Values values, std::string title,
                               const AttentionMapOptions& options) {
  HeatMap panel{.values = std::move(values),
                .title = std::move(title),
                .row_labels = options.queries,
                .column_labels = options.keys,
                .row_title = "queries",
                .column_title = "keys",
                .range = options.range};
  if (!panel.range) {
    const Range found = color_range(panel);
    panel.range = Range{std::min(found.low, 0.0), std::max(found.high, 0.0)};
  }
  return panel;
}

}  // namespace detail

/// Attention weights as heat maps with a panel for each head, queries down and keys across. The
/// weights (B, H, L, S), (H, L, S) or (L, S) are a tensor, a view or an Eigen expression. The
/// figure can be changed before it is saved. For example `attention_map(weights, {.queries = words,
/// .keys = words, .title = "self-attention"}).save("heads.png")`.
/// Errors: ShapeError if weights are empty, or if there are queries or keys and their number is not
/// L or S; OptionError if batch is not below B.
template <class T, int N>
  requires(N >= 2 && N <= 4)
Figure attention_map(const TensorView<T, N>& weights, const AttentionMapOptions& options = {}) {
  if constexpr (N == 4) {
    detail::require_attention(weights.shape(), options);
    if (options.batch < 0 || options.batch >= weights.shape()[0])
      throw OptionError("attention_map: batch " + std::to_string(options.batch) +
                        " must be at least 0 and below the first extent of weights " +
                        to_string(weights.shape()));
    return attention_map(weights[options.batch], options);
  } else {
    detail::require_attention(weights.shape(), options);
    Figure figure{.title = options.title, .columns = options.columns};
    if constexpr (N == 2) {
      figure.panels.push_back(detail::attention_panel(weights, "", options));
    } else {
      for (Index h = 0; h < weights.shape()[0]; ++h)
        figure.panels.push_back(
            detail::attention_panel(weights[h], "head " + std::to_string(h + 1), options));
    }
    return figure;
  }
}

template <class T, int N>
Figure attention_map(const Tensor<T, N>& weights, const AttentionMapOptions& options = {}) {
  return attention_map(weights.view(), options);
}

template <class Derived>
Figure attention_map(const Eigen::DenseBase<Derived>& weights,
                     const AttentionMapOptions& options = {}) {
  detail::require_attention(Shape<2>{weights.rows(), weights.cols()}, options);
  Figure figure{.title = options.title};
  figure.panels.push_back(detail::attention_panel(weights, "", options));
  return figure;
}

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
