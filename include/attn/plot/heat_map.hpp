#pragma once

#include <algorithm>
#include <attn/plot/layout.hpp>
#include <attn/plot/panel.hpp>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {
namespace detail {

inline void require_labels(const HeatMap& map, const std::vector<std::string>& labels, Index cells,
                           const char* side) {
  if (!labels.empty() && static_cast<Index>(labels.size()) != cells)
    throw ShapeError("HeatMap: " + std::to_string(labels.size()) + " " + side +
                     " labels must be as many as the " + std::to_string(cells) + " " + side +
                     "s of values (" + std::to_string(map.values.rows()) + ", " +
                     std::to_string(map.values.cols()) + ")");
}

/// The pixels of a side with n cells of `size` pixels. Cells of 4 pixels or more have an integral
/// size.
inline int side(double n, double size) {
  return static_cast<int>(std::lround(size >= 4 ? n * std::round(size) : std::max(1.0, n * size)));
}

/// The area of the cells. Cells are square, from 12 to 44 points large, so that up to 120 labels
/// fit along a side. The cells of a side without labels are narrower where that side would
/// otherwise be longer than the other side and than 440 points.
inline Rect cells_of(const HeatMap& map, double scale) {
  const auto rows = static_cast<double>(map.values.rows());
  const auto columns = static_cast<double>(map.values.cols());
  const bool named_rows = !map.row_labels.empty();
  const bool named_columns = !map.column_labels.empty();
  if (!named_rows && !named_columns) {
    const double cell = std::min(44.0, 440 / std::max(rows, columns));
    const auto at_least = [cell](double n) { return std::max(cell, std::min(12.0, 60 / n)); };
    return {0, 0, side(columns, at_least(columns) * scale), side(rows, at_least(rows) * scale)};
  }
  const double cell =
      std::clamp(440 / std::max(named_rows ? rows : 0, named_columns ? columns : 0), 12.0, 44.0);
  const double longest =
      std::max({440.0, named_rows ? rows * cell : 0, named_columns ? columns * cell : 0});
  const auto size = [&](double n, bool named) {
    return scale * std::min(cell, (named ? 1440 : longest) / n);
  };
  return {0, 0, side(columns, size(columns, named_columns)), side(rows, size(rows, named_rows))};
}

/// The largest label that fits into a cell, from 9 points to the usual size.
inline double label_size(const Draft& draft, double cell) {
  double size = points::label * draft.scale;
  while (size > 9 * draft.scale && draft.font.height(size) > cell) size -= 0.25;
  return size;
}

/// The pixel in the middle of cell i of n along a side.
inline int middle(int side, Index n, Index i) {
  return static_cast<int>((2 * i + 1) * side / (2 * n));
}

/// The distance between labeled cells, 1, 2, 5, 10, …, at which numbers of `size` pixels fit.
inline Index number_stride(double cell, int size) {
  Index stride = 1;
  for (int i = 0; static_cast<double>(stride) * cell < size; ++i)
    stride = i % 3 == 1 ? stride / 2 * 5 : stride * 2;
  return stride;
}

/// The distance between labeled cells at which words of `size` pixels fit.
inline Index word_stride(double cell, int size) {
  return std::max<Index>(1, static_cast<Index>(std::ceil(size / cell - 1e-9)));
}

/// The label of cell i: its word, shortened if it is long, or its number.
inline std::string cell_label(const Draft& draft, const std::vector<std::string>& labels, Index i,
                              double size) {
  const std::string label =
      labels.empty() ? std::to_string(i) : labels[static_cast<std::size_t>(i)];
  return draft.font.shorten(label, size, draft.px(110));
}

inline void place_rows(Draft& draft, const HeatMap& map) {
  const Rect frame = draft.panel.frame;
  const Index n = map.values.rows();
  const double cell = static_cast<double>(frame.height) / static_cast<double>(n);
  const bool named = !map.row_labels.empty();
  const double size = named ? label_size(draft, cell) : points::label * draft.scale;
  const int height = draft.font.height(size);
  const Index stride =
      named ? word_stride(cell, height) : number_stride(cell, height + draft.px(1));
  for (Index i = 0; i < n; i += stride)
    draft.tick_left(frame, middle(frame.height, n, i),
                    {cell_label(draft, map.row_labels, i, size), size});
}

inline void place_columns(Draft& draft, const HeatMap& map) {
  const Rect frame = draft.panel.frame;
  const Index n = map.values.cols();
  const double cell = static_cast<double>(frame.width) / static_cast<double>(n);
  const bool named = !map.column_labels.empty();
  const double size = named ? label_size(draft, cell) : points::label * draft.scale;
  int widest = named ? 0 : draft.font.width(std::to_string(n - 1), size);
  for (const std::string& label : map.column_labels)
    widest = std::max(widest, draft.font.width(label, size));
  const int height = draft.font.height(size);
  const bool is_too_wide = named && widest + draft.px(points::gap) > cell;
  const bool vertical = is_too_wide && widest > height;  // single letters stay upright
  const Index stride = named ? word_stride(cell, vertical ? height : widest)
                             : number_stride(cell, widest + draft.px(2 * points::gap));
  for (Index i = 0; i < n; i += stride)
    draft.tick_below(frame, middle(frame.width, n, i),
                     {cell_label(draft, map.column_labels, i, size), size, vertical});
}

/// The color bar, right of all that lies at its height. It is as high as the cells, but at least
/// high enough for its numbers.
inline void place_bar(Draft& draft, const Range& range) {
  const Rect frame = draft.panel.frame;
  const int height = std::max(frame.height, draft.px(56));
  const int left =
      height > frame.height ? std::max(frame.right(), draft.panel.bounds().right()) : frame.right();
  draft.panel.bar = {left + draft.px(11), frame.y, draft.px(12), height};
  draft.outline(draft.panel.bar);
  const double size = points::label * draft.scale;
  int count = std::clamp(height / draft.px(26), 2, 8);
  std::vector<Tick> ticks = linear_ticks(range, count);
  while (ticks.size() < 2 && count < 8) ticks = linear_ticks(range, ++count);
  int last = height + draft.font.height(size);  // pixels below the top of the bar
  for (const Tick& tick : ticks) {
    const double down = 1 - fraction_of(range, tick.value);
    const int at = static_cast<int>(std::lround(down * (height - 1)));
    if (last - at < draft.font.height(size)) continue;
    draft.tick_right(draft.panel.bar, frame.y + at, {tick.label, size});
    last = at;
  }
}

/// The positions of the cells, whose corner is (0, 0), of the labels, the titles and the color bar.
inline PanelLayout lay_out(const HeatMap& map, const Font& font, double scale) {
  if (map.values.size() == 0)
    throw ShapeError("HeatMap: values " +
                     to_string(Shape<2>{map.values.rows(), map.values.cols()}) +
                     " must have at least one row and one column");
  require_labels(map, map.row_labels, map.values.rows(), "row");
  require_labels(map, map.column_labels, map.values.cols(), "column");
  Draft draft{font, scale};
  draft.panel.frame = cells_of(map, scale);
  draft.outline(draft.panel.frame);
  place_rows(draft, map);
  place_columns(draft, map);
  draft.axis_titles(map.column_title, map.row_title);
  place_bar(draft, color_range(map));
  draft.title(map.title);
  return std::move(draft.panel);
}

/// Cells along one side, from `begin` up to, but without, `end`.
struct CellRange {
  Index begin = 0, end = 0;

  friend bool operator==(const CellRange&, const CellRange&) = default;
};

/// The cells of a pixel, for n cells along a side of `side` pixels.
inline CellRange cells_at(int pixel, int side, Index n) {
  if (n > side) return {pixel * n / side, (pixel + 1) * n / side};
  const Index cell = ((pixel + 1) * n - 1) / side;
  return {cell, cell + 1};
}

/// The mean of the values of some cells that are not NaN; NaN without any.
inline double mean_of(const Values& values, CellRange rows, CellRange columns) {
  double sum = 0;
  Index count = 0;
  for (Index i = rows.begin; i < rows.end; ++i)
    for (Index j = columns.begin; j < columns.end; ++j)
      if (!std::isnan(values(i, j))) {
        sum += values(i, j);
        ++count;
      }
  return sum / static_cast<double>(count);
}

/// Colors the cells and the bar. Where there are more cells than pixels, a pixel shows the mean of
/// its cells.
inline void draw(const HeatMap& map, const PanelLayout& layout, Image& image) {
  const Range range = color_range(map);
  const Rect& frame = layout.frame;
  const Rect& bar = layout.bar;
  CellRange previous;
  for (int y = 0; y < frame.height; ++y) {
    const CellRange rows = cells_at(y, frame.height, map.values.rows());
    Color* const line = image.row(frame.y + y) + frame.x;
    if (rows == previous) {
      std::copy_n(image.row(frame.y + y - 1) + frame.x, frame.width, line);
      continue;
    }
    previous = rows;
    for (int x = 0; x < frame.width; ++x) {
      const CellRange columns = cells_at(x, frame.width, map.values.cols());
      line[x] = color_at(map.color_map, fraction_of(range, mean_of(map.values, rows, columns)));
    }
  }
  for (int y = 0; y < bar.height; ++y)
    image.fill({bar.x, bar.y + y, bar.width, 1},
               color_at(map.color_map, 1 - (y + 0.5) / bar.height));
}

}  // namespace detail
}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
