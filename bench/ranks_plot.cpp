// Draws time against ranks, log-log, from the rows that simulate_ranks.py --csv writes: a panel for
// this machine and one for each network, with the ideal and the formula as lines, and what is
// measured or simulated as points. usage: ranks_plot OUT.png < RANKS.csv
#include <attn/core/error.hpp>
#include <attn/plot.hpp>

#include <cstdio>
#include <iostream>
#include <limits>
#include <sstream>

namespace {

using attn::plot::Curve, attn::plot::Curves;

/// A line of the file.
struct Row {
  std::string network, kind;
  long positions = 0, ranks = 0, ranks_of_heads = 0;
  double seconds = 0;
};

Row read_row(const std::string& line) {
  std::istringstream fields(line);
  char comma = 0;
  Row row;
  std::getline(fields, row.network, ',');
  fields >> row.positions >> comma >> row.ranks >> comma >> row.ranks_of_heads >> comma;
  std::getline(fields, row.kind, ',');
  if (!(fields >> row.seconds))
    throw attn::Error("ranks_plot: cannot read the line \"" + line + "\"");
  return row;
}

std::vector<Row> read_rows(std::istream& file) {
  std::vector<Row> rows;
  std::string line;
  std::getline(file, line);  // the names of the columns
  while (std::getline(file, line)) rows.push_back(read_row(line));
  return rows;
}

/// The curves of a panel: lines and points of a scheme have one color, and one name.
enum { ideal, windows_line, heads_line, windows_points, heads_points, count };

Curves panel(const Row& first) {
  const std::string measured = "measured";
  const std::string what = first.network.starts_with(measured)
                               ? "Measured" + first.network.substr(measured.size())
                               : "Simulated, " + first.network;
  Curves panel{.title = what + ", " + std::to_string(first.positions) + " positions",
               .x = {.title = "ranks", .scale = attn::plot::Scale::log2},
               .y = {.title = "seconds", .scale = attn::plot::Scale::log10},
               .curves = std::vector<Curve>(count)};
  const auto color = [&](std::size_t curve, std::uint32_t rgb) {
    panel.curves[curve].color = attn::plot::rgb(rgb);
  };
  color(ideal, 0x999999);
  color(windows_line, 0x0072b2);
  color(windows_points, 0x0072b2);
  color(heads_line, 0xd55e00);
  color(heads_points, 0xd55e00);
  return panel;
}

void add(Curves& panel, const Row& row) {
  const bool is_line = row.kind == "formula", exchanges = row.ranks_of_heads > 1;
  const std::size_t curve = row.kind == "ideal" ? ideal
                            : is_line           ? (exchanges ? heads_line : windows_line)
                                                : (exchanges ? heads_points : windows_points);
  Curve& to = panel.curves[curve];
  to.x.push_back(double(row.ranks));
  to.y.push_back(row.seconds);
  if (curve < windows_points) return;
  to.x.push_back(std::numeric_limits<double>::quiet_NaN());  // no line to the next point
  to.y.push_back(std::numeric_limits<double>::quiet_NaN());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::puts("usage: ranks_plot OUT.png < RANKS.csv");
    return 2;
  }
  std::vector<attn::plot::Panel> panels;
  std::string title;
  for (const Row& row : read_rows(std::cin)) {
    const Curves next = panel(row);
    if (panels.empty() || next.title != title) panels.push_back(next);
    title = next.title;
    add(std::get<Curves>(panels.back()), row);
  }
  if (panels.empty()) throw attn::Error("ranks_plot: the file has no rows");
  auto& legend = std::get<Curves>(panels.back()).curves;
  legend[ideal].name = "ideal: work / cores";
  legend[windows_line].name = "windows of keys";
  legend[heads_line].name = "windows, heads exchanged";
  attn::plot::Figure{.title =
                         "Causal attention, forward, 8 heads of dimension 64: ideal and formula "
                         "(lines), measured or simulated (points)",
                     .panels = panels,
                     .columns = static_cast<int>(panels.size())}
      .save(argv[1]);
}
