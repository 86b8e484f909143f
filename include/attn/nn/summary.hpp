#pragma once

#include <attn/nn/module.hpp>
#include <iomanip>
#include <sstream>

namespace attn {
inline namespace ATTN_ABI {

/// A table of a model's layers that have parameters: name, kind, shapes and number of them, and the
/// sum; ends with a line break.
template <class Layer>
std::string summary(const Layer& model) {
  struct Row {
    std::string name, kind, shapes, count;
  };
  std::vector<Row> rows{{"layer", "kind", "parameters", "count"}};
  const auto grouped = [](Index n) {  // 1,234,567
    std::string text = std::to_string(n);
    for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
    return text;
  };
  Index total = 0;
  const auto add = [&](const auto& self, const auto& layer, const std::string& name) -> void {
    using L = std::remove_cvref_t<decltype(layer)>;
    const std::size_t row = rows.size();
    std::string shapes;
    Index count = 0;
    rows.push_back({name, L::kind, "", ""});
    L::visit(layer, [&](const std::string& part_name, const auto& part) {
      if constexpr (IsParameter<decltype(part)>) {
        shapes += (shapes.empty() ? "" : ", ") + part_name + " " + to_string(part.value().shape());
        count += part.value().size();
      } else {
        self(self, part, name.empty() ? part_name : name + "." + part_name);
      }
    });
    if (count > 0)
      rows[row].shapes = std::move(shapes), rows[row].count = grouped(count), total += count;
    else rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(row));
  };
  add(add, model, "");
  rows.push_back({"total", Layer::kind, "", grouped(total)});

  std::size_t width[4] = {};
  for (const Row& r : rows) {
    std::size_t column = 0;
    for (const auto* text : {&r.name, &r.kind, &r.shapes, &r.count})
      width[column] = std::max(width[column], text->size()), ++column;
  }
  std::ostringstream table;
  for (const Row& r : rows)
    table << std::left << std::setw(static_cast<int>(width[0])) << r.name << "  "
          << std::setw(static_cast<int>(width[1])) << r.kind << "  "
          << std::setw(static_cast<int>(width[2])) << r.shapes << "  " << std::right
          << std::setw(static_cast<int>(width[3])) << r.count << '\n';
  return table.str();
}

}  // namespace ATTN_ABI
}  // namespace attn
