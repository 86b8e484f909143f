// Draws tokens a second over bits a weight, from the rows that against_llama_cpp.py --csv writes:
// "library,bits,tokens_per_second". usage: storage_plot OUT.png < STORAGE.csv
#include <attn/core/error.hpp>
#include <attn/plot.hpp>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>

namespace {

using attn::plot::Curve, attn::plot::Curves;

/// The rows of a library are a curve.
void add(Curves& plot, const std::string& line) {
  std::istringstream fields(line);
  std::string library;
  double bits = 0, speed = 0;
  char comma = 0;
  std::getline(fields, library, ',');
  if (!(fields >> bits >> comma >> speed))
    throw attn::Error("storage_plot: cannot read the line \"" + line + "\"");
  auto curve = std::find_if(plot.curves.begin(), plot.curves.end(),
                            [&](const Curve& c) { return c.name == library; });
  if (curve == plot.curves.end()) {
    plot.curves.push_back({.name = library, .markers = true});
    curve = plot.curves.end() - 1;
  }
  curve->x.push_back(bits);
  curve->y.push_back(speed);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::puts("usage: storage_plot OUT.png < STORAGE.csv");
    return 2;
  }
  Curves plot{.title = "SmolLM2-135M, one token at a time, two threads",
              .x = {.title = "bits per weight", .scale = attn::plot::Scale::log2},
              .y = {.title = "tokens per second"}};
  std::string line;
  std::getline(std::cin, line);  // the names of the columns
  while (std::getline(std::cin, line)) add(plot, line);
  double fastest = 1;
  for (const Curve& curve : plot.curves)
    fastest = std::max(fastest, *std::max_element(curve.y.begin(), curve.y.end()));
  plot.x.range = {4, 20};
  plot.y.range = {0, 1.1 * fastest};
  attn::plot::Figure{.panels = {plot}}.save(argv[1]);
}
