#pragma once

#include <algorithm>
#include <attn/plot/layout.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

namespace attn {
inline namespace ATTN_ABI {
namespace plot {
namespace detail {

/// Text in lines that are at most `widest` pixels wide, broken at spaces. There are at most three
/// lines, of which the last is shortened.
inline std::vector<std::string> wrap(const Font& font, const std::string& text, double size,
                                     int widest) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = begin, next = begin;
    while (next < text.size()) {
      const std::size_t stop = std::min(text.find_first_of(" \n", next), text.size());
      if (end > begin && font.width(text.substr(begin, stop - begin), size) > widest) break;
      end = stop;
      next = stop + 1;
      if (stop < text.size() && text[stop] == '\n') break;
    }
    if (lines.size() == 2) end = next = text.size();
    std::string line = font.shorten(text.substr(begin, end - begin), size, widest);
    if (!line.empty()) lines.push_back(std::move(line));
    begin = next;
  }
  return lines;
}

/// A column or row of a grid: the pixels before the frames, of the frames, and behind them.
struct Track {
  int before = 0, frame = 0, behind = 0;

  int size() const { return before + frame + behind; }
  /// Makes space for a panel that reaches from `begin` to `end`, with its frame from 0 to `inside`.
  void widen(int begin, int inside, int end) {
    before = std::max(before, -begin);
    frame = std::max(frame, inside);
    behind = std::max(behind, end - inside);
  }
};

/// Panels in rows of `count` columns. The frames of a column have a common middle, those of a row a
/// common top. A panel that is much wider than most spans several columns.
class Grid {
 public:
  struct Place {
    std::size_t row = 0, column = 0, span = 1;
  };
  std::vector<Track> columns, rows;
  std::vector<Place> places;
  int gap;

  Grid(const std::vector<PanelLayout>& panels, std::size_t count, int gap_)
      : columns(count), gap(gap_) {
    choose_places(panels);
    rows.resize(places.back().row + 1);
    for (std::size_t i = 0; i < panels.size(); ++i) {
      const Rect all = panels[i].bounds();
      const Rect& frame = panels[i].frame;
      rows[places[i].row].widen(all.y, frame.height, all.bottom());
      if (places[i].span == 1) columns[places[i].column].widen(all.x, frame.width, all.right());
      else columns[places[i].column].widen(all.x, 0, 0);
    }
    for (std::size_t i = 0; i < panels.size(); ++i) widen_span(places[i], panels[i]);
  }
  int width() const { return extent(columns, 0, columns.size()); }
  int height() const { return extent(rows, 0, rows.size()); }

  /// The frame of panel i, relative to the corner of the grid.
  Rect frame(std::size_t i, const Rect& frame) const {
    const auto [row, column, span] = places[i];
    const Track& track = columns[column];
    const int left = extent(columns, 0, column) + (column > 0 ? gap : 0);
    const int top = extent(rows, 0, row) + (row > 0 ? gap : 0);
    return {left + track.before + (span == 1 ? (track.frame - frame.width) / 2 : 0),
            top + rows[row].before, frame.width, frame.height};
  }

 private:
  /// The width of a panel without its labels and titles: a long title is no reason to span columns.
  static int core_width(const PanelLayout& panel) { return unite(panel.frame, panel.bar).width; }
  static double median(std::vector<int> values) {
    std::sort(values.begin(), values.end());
    return values[(values.size() - 1) / 2];
  }

  void choose_places(const std::vector<PanelLayout>& panels) {
    std::vector<int> cores, margins;
    for (const PanelLayout& panel : panels) {
      cores.push_back(core_width(panel));
      margins.push_back(panel.bounds().width - core_width(panel) + gap);
    }
    const double usual = median(cores);
    const double margin = median(margins);
    Place next;
    for (const int core : cores) {
      const double tracks = std::ceil((core + margin) / (usual + margin) - 0.15);
      next.span = std::clamp<std::size_t>(static_cast<std::size_t>(tracks), 1, columns.size());
      if (next.column + next.span > columns.size()) {
        ++next.row;
        next.column = 0;
      }
      places.push_back(next);
      next.column += next.span;
    }
  }
  /// Makes space for a panel that spans several columns behind the last of them.
  void widen_span(const Place& place, const PanelLayout& panel) {
    if (place.span == 1) return;
    const std::size_t end = place.column + place.span;
    const int available = extent(columns, place.column, end) - columns[place.column].before;
    columns[end - 1].behind += std::max(0, panel.bounds().right() - available);
  }
  int extent(const std::vector<Track>& tracks, std::size_t begin, std::size_t end) const {
    int sum = end > begin ? gap * (static_cast<int>(end - begin) - 1) : 0;
    for (std::size_t i = begin; i < end; ++i) sum += tracks[i].size();
    return sum;
  }
};

/// The number of columns with which the picture is about 3:2 and has few empty places.
inline std::size_t best_columns(const std::vector<PanelLayout>& panels, int gap) {
  std::size_t best = 1;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t count = 1; count <= 2 * panels.size(); ++count) {
    const Grid grid(panels, count, gap);
    double taken = 0;
    for (const Grid::Place& place : grid.places) taken += static_cast<double>(place.span);
    const double empty = static_cast<double>(grid.rows.size() * count) / taken - 1;
    const double ratio = static_cast<double>(grid.width()) / grid.height();
    const double cost = std::abs(std::log(ratio / 1.5)) + 1.5 * empty;
    if (cost < least) {
      least = cost;
      best = count;
    }
  }
  return best;
}

}  // namespace detail
}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
