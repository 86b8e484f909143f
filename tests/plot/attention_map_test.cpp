#include <gtest/gtest.h>
#include <attn/plot.hpp>

#include "layout_checks.hpp"

namespace {

using attn::Index;
using namespace attn::plot;

const std::vector<std::string> four{"a", "black", "cat", "sat"}, three{"une", "très", "noire"};

attn::Tensor<float, 4> counted() {
  attn::Tensor<float, 4> weights({2, 5, 4, 3});
  for (Index i = 0; i < weights.size(); ++i) weights.data()[i] = static_cast<float>(i) / 200;
  return weights;
}

const HeatMap& panel(const Figure& figure, std::size_t i) {
  return std::get<HeatMap>(figure.panels.at(i));
}

TEST(AttentionMap, IsOnePanelAHead) {
  const attn::Tensor<float, 4> weights = counted();
  const Figure figure =
      attention_map(weights, {.queries = four, .keys = three, .title = "heads", .batch = 1});
  ASSERT_EQ(figure.panels.size(), 5u);
  EXPECT_EQ(figure.title, "heads");
  for (Index h = 0; h < 5; ++h) {
    const HeatMap& map = panel(figure, static_cast<std::size_t>(h));
    EXPECT_EQ(map.title, "head " + std::to_string(h + 1));
    EXPECT_EQ(map.row_labels, four);
    EXPECT_EQ(map.column_labels, three);
    EXPECT_EQ(map.row_title, "queries");
    EXPECT_EQ(map.column_title, "keys");
    for (Index i = 0; i < 4; ++i)
      for (Index j = 0; j < 3; ++j)
        EXPECT_EQ(map.values(i, j), static_cast<double>(weights(1, h, i, j)));
    EXPECT_EQ(*map.range, (Range{0, static_cast<double>(weights(1, h, 3, 2))}));
  }
  attn_test::expect_tidy(figure.layout(), "heads");
}

TEST(AttentionMap, TakesTensorsViewsAndEigen) {
  attn::Tensor<float, 4> weights = counted();
  EXPECT_EQ(attention_map(weights[1]).panels.size(), 5u);
  EXPECT_EQ(attention_map(weights.view()).panels.size(), 5u);
  EXPECT_EQ(attention_map(weights.slice(1, 1, 3)).panels.size(), 2u);
  EXPECT_EQ(attention_map(attn::Tensor<double, 3>({2, 4, 3})).panels.size(), 2u);
  EXPECT_EQ(attention_map(attn::Tensor<double, 2>({4, 3})).panels.size(), 1u);
  const Eigen::MatrixXf m = Eigen::MatrixXf::Random(4, 3).cwiseAbs();
  for (const Figure& figure : {attention_map(m, {.queries = four}), attention_map(m + m - m),
                               attention_map(weights.matrix(0, 0)), attention_map(m.topRows(2))})
    EXPECT_EQ(figure.panels.size(), 1u);
  EXPECT_EQ(panel(attention_map(m), 0).values(3, 1), static_cast<double>(m(3, 1)));
}

TEST(AttentionMap, RangeBeginsAtZeroUnlessGiven) {
  EXPECT_EQ(*panel(attention_map(Eigen::Matrix2d::Constant(0.5)), 0).range, (Range{0, 0.5}));
  EXPECT_EQ(*panel(attention_map(Eigen::Matrix2d::Zero()), 0).range, (Range{0, 1}));
  EXPECT_EQ(*panel(attention_map(Eigen::RowVector2d(0.2, 0.3)), 0).range, (Range{0, 0.3}));
  EXPECT_EQ(*panel(attention_map(Eigen::RowVector2d(-0.2, 0.3)), 0).range, (Range{-0.2, 0.3}));
  EXPECT_EQ(*panel(attention_map(Eigen::RowVector2d(0.2, 0.3), {.range = Range{0, 1}}), 0).range,
            (Range{0, 1}));
}

TEST(AttentionMap, ErrorsNameBothNumbers) {
  const attn::Tensor<float, 4> weights = counted();
  const auto message = [&](const AttentionMapOptions& options) -> std::string {
    try {
      attention_map(weights, options);
    } catch (const attn::Error& error) {
      return error.what();
    }
    return "nothing was thrown";
  };
  EXPECT_EQ(message({.queries = three}),
            "attention_map: 3 queries must be as many as the 4 of weights (2, 5, 4, 3)");
  EXPECT_EQ(message({.keys = four}),
            "attention_map: 4 keys must be as many as the 3 of weights (2, 5, 4, 3)");
  EXPECT_EQ(message({.batch = 2}),
            "attention_map: batch 2 must be at least 0 and below the first extent of weights (2, "
            "5, 4, 3)");
  EXPECT_EQ(message({.batch = -1}),
            "attention_map: batch -1 must be at least 0 and below the first extent of weights (2, "
            "5, 4, 3)");
  EXPECT_THROW(attention_map(attn::Tensor<float, 4>({1, 2, 0, 3})), attn::ShapeError);
  EXPECT_THROW(attention_map(attn::Tensor<float, 3>({0, 2, 3})), attn::ShapeError);
  EXPECT_THROW(attention_map(Eigen::MatrixXd(3, 0)), attn::ShapeError);
}

}  // namespace
