#pragma once

#include <algorithm>
#include <array>
#include <attn/nn/module.hpp>
#include <string>
#include <vector>

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
using SummaryRow = std::array<std::string, 4>;

/// Adds the rows of a layer and of the layers in it that have parameters. Returns the number
/// of their parameters.
template <class Layer>
Index add_summary_rows(const Layer& layer, const std::string& name, std::vector<SummaryRow>& rows) {
  const std::size_t row = rows.size();
  std::string shapes;
  Index count = 0, total = 0;
  rows.push_back({name, Layer::kind, "", ""});
  Layer::visit(layer, [&](const std::string& part_name, const auto& part) {
    if constexpr (IsParameter<decltype(part)>) {
      shapes += (shapes.empty() ? "" : ", ") + part_name + " " + to_string(part.shape());
      if (part.storage()) shapes += " " + to_string(*part.storage());
      count += checked_size(part.shape());
    } else {
      total += add_summary_rows(part, name.empty() ? part_name : name + "." + part_name, rows);
    }
  });
  if (count == 0) {
    rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(row));
  } else {
    rows[row][2] = std::move(shapes);
    rows[row][3] = with_thousands(count);
  }
  return total + count;
}

}  // namespace detail

/// A table of a model's layers that have parameters: name, kind, shapes and number of parameters,
/// and the total. It ends with a line break.
template <class Layer>
std::string summary(const Layer& model) {
  std::vector<detail::SummaryRow> rows{{"layer", "kind", "parameters", "count"}};
  const Index total = detail::add_summary_rows(model, "", rows);
  rows.push_back({"total", Layer::kind, "", detail::with_thousands(total)});
  std::array<std::size_t, 4> width{};
  for (const auto& row : rows)
    for (std::size_t c = 0; c < 4; ++c) width[c] = std::max(width[c], row[c].size());
  std::string table;
  for (const auto& row : rows) {
    for (std::size_t c = 0; c < 3; ++c)
      table += row[c] + std::string(width[c] + 2 - row[c].size(), ' ');
    table += std::string(width[3] - row[3].size(), ' ') + row[3] + "\n";
  }
  return table;
}

}  // namespace ATTN_ABI
}  // namespace attn
