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

/// Text in lines that are no wider than `room`, broken at spaces; at most three, the last one
/// shortened.
inline std::vector<std::string> wrap(const Font& font, const std::string& text, double size,
                                     int room) {
  std::vector<std::string> lines;
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = begin, next = begin;
    while (next < text.size()) {
      const std::size_t stop = std::min(text.find_first_of(" \n", next), text.size());
      if (end > begin && font.width(text.substr(begin, stop - begin), size) > room) break;
      end = stop, next = stop + 1;
      if (stop < text.size() && text[stop] == '\n') break;
    }
    if (lines.size() == 2) end = std::string::npos, next = text.size();
    std::string line =
        font.shorten(text.substr(begin, end == std::string::npos ? end : end - begin), size, room);
    if (!line.empty()) lines.push_back(std::move(line));
    begin = next;
  }
  return lines;
}

/// Panels in rows of `count` columns. The frames of a column share a middle, those of a row a top;
/// a panel much wider than most spans several columns.
struct Grid {
  struct Track {
    int before = 0, frame = 0, behind = 0;  // in front of the frames, the frames, behind them
    int size() const { return before + frame + behind; }
    void widen(int begin, int inside, int end) {
      before = std::max(before, -begin), frame = std::max(frame, inside),
      behind = std::max(behind, end - inside);
    }
  };
  struct Place {
    std::size_t row = 0, column = 0, span = 1;
  };
  std::vector<Track> columns, rows;
  std::vector<Place> places;
  int gap;

  Grid(const std::vector<PanelLayout>& panels, std::size_t count, int gap_)
      : columns(count), gap(gap_) {
    const auto core = [](const PanelLayout& panel) {
      return unite(panel.frame, panel.bar).width;
    };  // a long title is no reason to span
    std::vector<int> cores, around;
    for (const PanelLayout& panel : panels)
      cores.push_back(core(panel)), around.push_back(panel.bounds().width - core(panel) + gap);
    const auto median = [](std::vector<int> of) {
      return std::sort(of.begin(), of.end()), of[(of.size() - 1) / 2];
    };
    const double usual = median(cores), rest = median(around);
    Place next;
    for (const PanelLayout& panel : panels) {
      const double tracks = std::ceil((core(panel) + rest) / (usual + rest) - 0.15);
      next.span = std::clamp<std::size_t>(static_cast<std::size_t>(tracks), 1, count);
      if (next.column + next.span > count) ++next.row, next.column = 0;
      places.push_back(next);
      next.column += next.span;
    }
    rows.resize(next.row + 1);
    for (std::size_t i = 0; i < panels.size(); ++i) {
      const Rect all = panels[i].bounds(), &frame = panels[i].frame;
      rows[places[i].row].widen(all.y, frame.height, all.bottom());
      if (places[i].span == 1) columns[places[i].column].widen(all.x, frame.width, all.right());
      else columns[places[i].column].widen(all.x, 0, 0);
    }
    for (std::size_t i = 0; i < panels.size(); ++i) {
      const auto [row, first, span] = places[i];
      const int room = extent(columns, first, first + span) - columns[first].before;
      if (span > 1)
        columns[first + span - 1].behind += std::max(0, panels[i].bounds().right() - room);
    }
  }
  int width() const { return extent(columns, 0, columns.size()); }
  int height() const { return extent(rows, 0, rows.size()); }

  /// Where the corner of panel i's frame goes, from the corner of the grid.
  Rect frame(std::size_t i, const Rect& frame) const {
    const auto [row, column, span] = places[i];
    const Track& track = columns[column];
    const int left = extent(columns, 0, column) + (column > 0 ? gap : 0),
              top = extent(rows, 0, row) + (row > 0 ? gap : 0);
    return {left + track.before + (span == 1 ? (track.frame - frame.width) / 2 : 0),
            top + rows[row].before, frame.width, frame.height};
  }

 private:
  int extent(const std::vector<Track>& tracks, std::size_t begin, std::size_t end) const {
    int sum = end > begin ? gap * (static_cast<int>(end - begin) - 1) : 0;
    for (std::size_t i = begin; i < end; ++i) sum += tracks[i].size();
    return sum;
  }
};

/// The number of columns that makes the picture about 3:2 and leaves few places empty.
inline std::size_t best_columns(const std::vector<PanelLayout>& panels, int gap) {
  std::size_t best = 1;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t count = 1; count <= 2 * panels.size(); ++count) {
    const Grid grid(panels, count, gap);
    double taken = 0;
    for (const Grid::Place& place : grid.places) taken += static_cast<double>(place.span);
    const double empty = static_cast<double>(grid.rows.size() * count) / taken - 1;
    const double cost =
        std::abs(std::log(static_cast<double>(grid.width()) / grid.height() / 1.5)) + 1.5 * empty;
    if (cost < least) least = cost, best = count;
  }
  return best;
}

}  // namespace detail

}  // namespace plot
}  // namespace ATTN_ABI
}  // namespace attn
