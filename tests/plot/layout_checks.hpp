#pragma once

#include <gtest/gtest.h>
#include <attn/plot/figure.hpp>

#include <string>
#include <vector>

namespace attn_test {

/// What holds for every layout: all parts lie on the page, and no text meets another text, a cell
/// or a color bar.
inline void expect_tidy(const attn::plot::Layout& layout, const std::string& what) {
  using attn::plot::Rect;
  const Rect page{0, 0, layout.width, layout.height};
  std::vector<std::pair<Rect, std::string>> boxes;
  for (const auto& text : layout.title) boxes.emplace_back(text.box, text.text);
  for (std::size_t i = 0; i < layout.panels.size(); ++i) {
    const auto& panel = layout.panels[i];
    boxes.emplace_back(panel.frame, "frame of panel " + std::to_string(i));
    boxes.emplace_back(panel.bar, "bar of panel " + std::to_string(i));
    for (const auto& text : panel.texts)
      boxes.emplace_back(text.box, "\"" + text.text + "\" of panel " + std::to_string(i));
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_FALSE(panel.bounds().overlaps(layout.panels[j].bounds()))
          << what << ": panels " << j << " and " << i;
    for (const auto& stroke : panel.strokes)
      EXPECT_TRUE(page.contains(stroke.area)) << what << ": a stroke of panel " << i;
    for (const auto& stroke : panel.strokes)
      for (const auto& text : panel.texts)
        EXPECT_FALSE(text.box.overlaps(stroke.area))
            << what << ": a stroke and \"" << text.text << "\"";
  }
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    EXPECT_TRUE(boxes[i].first.empty() || page.contains(boxes[i].first))
        << what << ": " << boxes[i].second << " leaves the page";
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_FALSE(boxes[i].first.overlaps(boxes[j].first))
          << what << ": " << boxes[i].second << " meets " << boxes[j].second;
  }
}

}  // namespace attn_test
