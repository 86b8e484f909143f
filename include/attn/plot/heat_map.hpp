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

/// The pixels of one side with n cells of `size` pixels: whole pixels for each cell, if there are
/// some.
inline int side(double n, double size) {
  return static_cast<int>(std::lround(size >= 4 ? n * std::round(size) : std::max(1.0, n * size)));
}

/// Cells are square, as large as looks well, and never so small that a label does not fit (up to
/// 120 of them). The cells of a side without labels give way: it is no longer than the other, or
/// than 440 points.
inline Rect cells_of(const HeatMap& map, double scale) {
  const auto rows = static_cast<double>(map.values.rows()),
             columns = static_cast<double>(map.values.cols());
  const bool named_rows = !map.row_labels.empty(), named_columns = !map.column_labels.empty();
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

/// 1, 2, 5, 10, …: every how many cells a number of `room` pixels fits.
inline Index number_step(double cell, int room) {
  Index step = 1;
  for (int i = 0; static_cast<double>(step) * cell < room; ++i)
    step = i % 3 == 1 ? step / 2 * 5 : step * 2;
  return step;
}

inline void place_rows(Draft& draft, const HeatMap& map) {
  const Rect frame = draft.panel.frame;
  const Index n = map.values.rows();
  const double cell = static_cast<double>(frame.height) / static_cast<double>(n);
  const bool named = !map.row_labels.empty();
  const double size = named ? label_size(draft, cell) : points::label * draft.scale;
  const Index step = named ? static_cast<Index>(std::ceil(draft.font.height(size) / cell - 1e-9))
                           : number_step(cell, draft.font.height(size) + draft.px(1));
  for (Index i = 0; i < n; i += step) {
    const std::string label =
        named ? map.row_labels[static_cast<std::size_t>(i)] : std::to_string(i);
    draft.tick_left(frame, middle(frame.height, n, i),
                    draft.font.shorten(label, size, draft.px(110)), size);
  }
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
  const int high = draft.font.height(size);
  const bool turned =
      named && widest + draft.px(points::gap) > cell && widest > high;  // single letters are not
  const Index step =
      named ? std::max<Index>(1,
                              static_cast<Index>(std::ceil((turned ? high : widest) / cell - 1e-9)))
            : number_step(cell, widest + draft.px(2 * points::gap));
  for (Index i = 0; i < n; i += step) {
    const std::string label =
        named ? map.column_labels[static_cast<std::size_t>(i)] : std::to_string(i);
    draft.tick_below(frame, middle(frame.width, n, i),
                     draft.font.shorten(label, size, draft.px(110)), size, turned);
  }
}

/// The colour bar, as high as the cells but not too low for numbers, and right of whatever lies at
/// its height.
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
    const int at = static_cast<int>(std::lround((1 - share_of(range, tick.value)) * (height - 1)));
    if (last - at < draft.font.height(size)) continue;
    draft.tick_right(draft.panel.bar, frame.y + at, tick.label, size);
    last = at;
  }
}

}  // namespace detail

/// Where the cells, labels, titles and the colour bar go; the corner of the cells is (0, 0).
inline PanelLayout lay_out(const HeatMap& map, const Font& font, double scale) {
  if (map.values.size() == 0)
    throw ShapeError("HeatMap: values " +
                     to_string(Shape<2>{map.values.rows(), map.values.cols()}) +
                     " must have at least one row and one column");
  detail::require_labels(map, map.row_labels, map.values.rows(), "row");
  detail::require_labels(map, map.column_labels, map.values.cols(), "column");
  Draft draft{font, scale};
  draft.panel.frame = detail::cells_of(map, scale);
  draft.outline(draft.panel.frame);
  detail::place_rows(draft, map);
  detail::place_columns(draft, map);
  draft.axis_titles(map.column_title, map.row_title);
  detail::place_bar(draft, color_range(map));
  draft.title(map.title);
  return std::move(draft.panel);
}

/// Colours the cells and the bar. Where there are more cells than pixels, a pixel shows the mean of
/// its cells.
inline void draw(const HeatMap& map, const PanelLayout& layout, Image& image) {
  const Range range = color_range(map);
  const Rect &frame = layout.frame, &bar = layout.bar;
  const auto cells = [](int pixel, int side,
                        Index n) {  // first cell of a pixel, and the one after its last
    const Index first = n > side ? pixel * n / side : ((pixel + 1) * n - 1) / side;
    return std::pair{first, n > side ? (pixel + 1) * n / side : first + 1};
  };
  for (int y = 0; y < frame.height; ++y) {
    const auto [row, row_end] = cells(y, frame.height, map.values.rows());
    Color* line = image.row(frame.y + y) + frame.x;
    if (y > 0 && std::pair{row, row_end} == cells(y - 1, frame.height, map.values.rows())) {
      std::copy_n(image.row(frame.y + y - 1) + frame.x, frame.width, line);
      continue;
    }
    for (int x = 0; x < frame.width; ++x) {
      const auto [column, column_end] = cells(x, frame.width, map.values.cols());
      double sum = 0;
      Index count = 0;
      for (Index i = row; i < row_end; ++i)
        for (Index j = column; j < column_end; ++j)
          if (!std::isnan(map.values(i, j))) sum += map.values(i, j), ++count;
      line[x] = color_at(map.color_map,
                         share_of(range, sum / static_cast<double>(count)));  // none: 0/0, grey
    }
  }
  for (int y = 0; y < bar.height; ++y)
    image.fill({bar.x, bar.y + y, bar.width, 1},
               color_at(map.color_map, 1 - (y + 0.5) / bar.height));
}

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
