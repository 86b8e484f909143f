#pragma once

#include <algorithm>
#include <array>
#include <attn/nn/module.hpp>
#include <iomanip>
#include <sstream>

namespace attn {
inline namespace ATTN_ABI {

namespace detail {

/// "1,234,567"
inline std::string with_thousands(Index n) {
  std::string text = std::to_string(n);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

/// The rows of a summary: name, kind, shapes and count of the parameters.
class SummaryTable {
 public:
  template <class Layer>
  void add(const Layer& layer, const std::string& name) {
    const std::size_t row = rows_.size();
    std::string shapes;
    Index count = 0;
    rows_.push_back({name, Layer::kind, "", ""});
    Layer::visit(layer, [&](const std::string& part_name, const auto& part) {
      if constexpr (IsParameter<decltype(part)>) {
        shapes += (shapes.empty() ? "" : ", ") + part_name + " " + to_string(part.shape());
        if (part.storage()) shapes += " " + to_string(*part.storage());
        count += checked_size(part.shape());
      } else {
        add(part, name.empty() ? part_name : name + "." + part_name);
      }
    });
    if (count == 0) {
      rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(row));
      return;
    }
    rows_[row][2] = std::move(shapes);
    rows_[row][3] = with_thousands(count);
    total_ += count;
  }

  std::string text(const char* kind) {
    rows_.push_back({"total", kind, "", with_thousands(total_)});
    std::array<std::size_t, 4> width{};
    for (const Row& row : rows_)
      for (std::size_t c = 0; c < 4; ++c) width[c] = std::max(width[c], row[c].size());
    std::ostringstream table;
    for (const Row& row : rows_)
      for (std::size_t c = 0; c < 4; ++c)
        table << (c < 3 ? std::left : std::right) << std::setw(static_cast<int>(width[c])) << row[c]
              << (c < 3 ? "  " : "\n");
    return table.str();
  }

 private:
  using Row = std::array<std::string, 4>;
  std::vector<Row> rows_{{"layer", "kind", "parameters", "count"}};
  Index total_ = 0;
};

}  // namespace detail

/// A table of a model's layers that have parameters: name, kind, shapes and number of parameters,
/// and the total. It ends with a line break.
template <class Layer>
std::string summary(const Layer& model) {
  detail::SummaryTable table;
  table.add(model, "");
  return table.text(Layer::kind);
}

}  // namespace ATTN_ABI
}  // namespace attn
