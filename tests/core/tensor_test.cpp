#include <gtest/gtest.h>

#include <attn/core/nested.hpp>
#include <attn/core/tensor.hpp>
#include <cmath>
#include <cstdint>

#include "support/expect_error.hpp"
#include "support/huge_shape.hpp"

namespace {

using attn::Index;
using attn::Shape;
using attn::Tensor;
using attn::TensorView;

/// Every element contains its indices: 1000 b + 100 h + 10 l + e.
Tensor<double, 4> marked(const Shape<4>& shape) {
  Tensor<double, 4> x(shape);
  double* at = x.data();
  for (Index b = 0; b < shape[0]; ++b)
    for (Index h = 0; h < shape[1]; ++h)
      for (Index l = 0; l < shape[2]; ++l)
        for (Index e = 0; e < shape[3]; ++e)
          *at++ = static_cast<double>(1000 * b + 100 * h + 10 * l + e);
  return x;
}

TEST(Tensor, IsZeroAlignedAndOfTheGivenShape) {
  const Tensor<float, 4> x({2, 3, 4, 5});
  EXPECT_EQ(x.shape(), (Shape<4>{2, 3, 4, 5}));
  EXPECT_EQ(x.size(), 120);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(x.data()) % 64, 0u);
  EXPECT_TRUE((x.flat().array() == 0.0f).all());
}

TEST(Tensor, WithoutAShapeIsEmpty) {
  const Tensor<float, 3> x;
  EXPECT_EQ(x.shape(), (Shape<3>{0, 0, 0}));
  EXPECT_EQ(x.size(), 0);
  EXPECT_EQ(x.data(), nullptr);
}

TEST(Tensor, IsConstructedFromAShapeOnly) {
  static_assert(!std::is_convertible_v<Shape<2>, Tensor<float, 2>>);
  static_assert(!std::is_constructible_v<Tensor<float, 2>, int>);
  EXPECT_EQ((Tensor<float, 2>({3, 4}).size()), 12) << "a shape of 3×4, not the values 3 and 4";
}

TEST(Tensor, RefusesWrongShapes) {
  EXPECT_EQ(sentence_of<attn::ShapeError>([] {
              Tensor<float, 2>({2, -3});
            }),
            "Tensor: shape (2, -3) must have no negative extent");
  EXPECT_EQ(sentence_of<attn::ShapeError>([] {
              Tensor<float, 2>({huge, huge});
            }),
            too_huge({huge, huge}));
  EXPECT_THROW((Tensor<float, 1>({Index{1} << (index_bits - 2)})), attn::ShapeError) << "2⁶³ bytes";
}

TEST(Tensor, IsRowMajor) {
  const Tensor<double, 4> x = marked({2, 3, 4, 5});
  EXPECT_EQ(x(0, 0, 0, 1), 1);
  EXPECT_EQ(x(1, 2, 3, 4), 1234);
  EXPECT_EQ(&x(1, 2, 3, 4) - x.data(), 119);
  EXPECT_EQ(&x(1, 0, 0, 0) - x.data(), 60);
}

TEST(Tensor, ElementsCanBeWritten) {
  Tensor<float, 2> x({2, 3});
  x(1, 2) = 7;
  EXPECT_EQ(x.data()[5], 7);
  static_assert(std::is_same_v<decltype(x(0, 0)), float&>);
  static_assert(std::is_same_v<decltype(std::as_const(x)(0, 0)), const float&>);
  static_assert(!std::is_invocable_v<Tensor<float, 2>&, int> &&
                !std::is_invocable_v<Tensor<float, 2>&, int, int, int>);  // an index for each axis
}

TEST(Tensor, CopiesAreDeep) {
  Tensor<double, 4> x = marked({2, 3, 4, 5});
  const Tensor<double, 4> y = x;
  EXPECT_EQ(x, y);
  x(1, 1, 1, 1) = 0;
  EXPECT_EQ(y(1, 1, 1, 1), 1111);
  EXPECT_FALSE(x == y);
}

TEST(Tensor, AssignmentReusesMemoryOfTheSameSize) {
  const Tensor<double, 4> x = marked({2, 3, 4, 5});
  Tensor<double, 4> same_size({5, 4, 3, 2}), other({1, 1, 1, 1});
  const double* const memory = same_size.data();
  same_size = x;
  other = x;
  EXPECT_EQ(same_size.data(), memory);
  EXPECT_EQ(same_size, x);
  EXPECT_EQ(other, x);
}

TEST(Tensor, AMoveLeavesAnEmptyTensor) {
  Tensor<double, 4> x = marked({2, 3, 4, 5});
  const Tensor<double, 4> original = x;
  const double* const memory = x.data();
  Tensor<double, 4> y = std::move(x);
  EXPECT_EQ(y.data(), memory);
  EXPECT_EQ(y, original);
  const auto expect_empty = [](const Tensor<double, 4>& moved) {
    EXPECT_EQ(moved.shape(), (Shape<4>{0, 0, 0, 0}));
    EXPECT_EQ(moved.size(), 0);
    EXPECT_EQ(moved.data(), nullptr);
    EXPECT_EQ(moved, (Tensor<double, 4>()));
  };
  expect_empty(x);
  Tensor<double, 4> z({1, 2, 1, 2});
  z = std::move(y);
  EXPECT_EQ(z, original);
  EXPECT_EQ(z.data(), memory);
  expect_empty(y);
  Tensor<double, 4>& same = z;
  z = std::move(same);
  EXPECT_EQ(z, original) << "assigned to itself";
  static_assert(std::is_nothrow_move_constructible_v<Tensor<float, 4>> &&
                std::is_nothrow_move_assignable_v<Tensor<float, 4>>);
}

TEST(Tensor, ComparesShapeAndElements) {
  const Tensor<float, 2> x = attn::tensor<float>({{1, 2}, {3, 4}});
  EXPECT_TRUE(x == attn::tensor<float>({{1, 2}, {3, 4}}));
  EXPECT_FALSE(x == attn::tensor<float>({{1, 2}, {3, 5}}));
  EXPECT_TRUE(x != attn::tensor<float>({{1, 2, 3, 4}})) << "the same values in another shape";
  EXPECT_TRUE(attn::tensor<float>({0.0f}) == attn::tensor<float>({-0.0f}));
  const Tensor<float, 1> nan = attn::tensor<float>({std::nanf("")});
  EXPECT_FALSE(nan == nan);
  EXPECT_FALSE((Tensor<float, 2>({0, 3}) == Tensor<float, 2>({3, 0})));
}

TEST(Tensor, AConstTensorIsReadOnly) {
  using T = Tensor<float, 3>;
  static_assert(
      std::is_same_v<decltype(std::declval<const T&>().view()), TensorView<const float, 3>>);
  static_assert(std::is_same_v<decltype(std::declval<const T&>()[0]), TensorView<const float, 2>>);
  static_assert(std::is_same_v<decltype(std::declval<const T&>().slice(0, 0, 0)),
                               TensorView<const float, 3>>);
  static_assert(std::is_same_v<decltype(std::declval<const T&>().reshape({1, 2})),
                               TensorView<const float, 2>>);
  static_assert(std::is_same_v<decltype(std::declval<const T&>().data()), const float*>);
  static_assert(
      std::is_same_v<decltype(attn::view(std::declval<const T&>())), TensorView<const float, 3>>);
  static_assert(std::is_same_v<decltype(attn::view(std::declval<T&>())), TensorView<float, 3>>);
  static_assert(std::is_convertible_v<T&, TensorView<float, 3>> &&
                std::is_convertible_v<T&, TensorView<const float, 3>>);
  static_assert(!std::is_convertible_v<const T&, TensorView<float, 3>> &&
                std::is_convertible_v<const T&, TensorView<const float, 3>>);
  static_assert(!std::is_assignable_v<decltype(std::declval<const T&>().matrix(0)(0, 0)), float>);
  static_assert(std::is_assignable_v<decltype(std::declval<T&>().matrix(0)(0, 0)), float>);
}

TEST(Tensor, MatricesAreMapsOfTheMemory) {
  Tensor<double, 4> x = marked({2, 3, 4, 5});
  auto head = x.matrix(1, 2);
  ASSERT_EQ(head.rows(), 4);
  ASSERT_EQ(head.cols(), 5);
  EXPECT_EQ(head(3, 1), 1231);
  head(3, 1) = -1;
  EXPECT_EQ(x(1, 2, 3, 1), -1);
  EXPECT_EQ(x.as_rows().rows(), 24);
  EXPECT_EQ(x.as_rows()(23, 4), 1234);
  EXPECT_EQ(x.flat().size(), 120);
  EXPECT_EQ(x.flat()(60), 1000);
}

// As PyTorch's x.permute(…).contiguous(), element by element.
TEST(Tensor, PermuteMovesAxes) {
  const Tensor<double, 4> x = marked({2, 3, 4, 5});
  const Tensor<double, 4> y = x.permute({0, 2, 1, 3}), z = x.permute({3, 1, 0, 2});
  EXPECT_EQ(y.shape(), (Shape<4>{2, 4, 3, 5}));
  EXPECT_EQ(z.shape(), (Shape<4>{5, 3, 2, 4}));
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < 3; ++h)
      for (Index l = 0; l < 4; ++l)
        for (Index e = 0; e < 5; ++e) {
          EXPECT_EQ(y(b, l, h, e), x(b, h, l, e));
          EXPECT_EQ(z(e, h, b, l), x(b, h, l, e));
        }
  EXPECT_EQ(x.permute({0, 1, 2, 3}), x);
  EXPECT_EQ(attn::tensor<float>({{1, 2, 3}, {4, 5, 6}}).permute({1, 0}),
            attn::tensor<float>({{1, 4}, {2, 5}, {3, 6}}));
  EXPECT_EQ((Tensor<float, 3>({2, 0, 3}).permute({2, 0, 1}).shape()), (Shape<3>{3, 2, 0}));
}

TEST(Tensor, PermuteNeedsEachAxisOnce) {
  const Tensor<float, 3> x({2, 3, 4});
  const std::string sentence = "permute: the order of axes must name each axis of (2, 3, 4) once";
  for (const std::array<int, 3>& order :
       {std::array<int, 3>{0, 1, 1}, {0, 1, 3}, {-1, 0, 1}, {2, 2, 2}})
    EXPECT_EQ(sentence_of<attn::ShapeError>([&] { x.permute(order); }), sentence);
}

TEST(Tensor, CopyBetweenStridesAndTypes) {
  const Tensor<double, 4> x = marked({2, 3, 4, 5});
  Tensor<float, 4> y({2, 3, 2, 2});
  attn::copy(x.slice(2, 1, 3).slice(3, 2, 4), y.view());
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < 3; ++h)
      for (Index l = 0; l < 2; ++l)
        for (Index e = 0; e < 2; ++e)
          EXPECT_EQ(y(b, h, l, e), static_cast<float>(x(b, h, l + 1, e + 2)));
  Tensor<double, 4> z({2, 3, 4, 5});
  attn::copy(y.view(), z.slice(2, 2, 4).slice(3, 0, 2));
  EXPECT_EQ(z(1, 2, 3, 1), 1223);
  EXPECT_EQ(z.flat().cwiseAbs().maxCoeff(), 1223);
  EXPECT_EQ((z.flat().array() != 0).count(), 24) << "no other element is written";
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { attn::copy(x.view(), y.view()); }),
            "copy: source (2, 3, 4, 5) must have the shape of the target (2, 3, 2, 2)");
}

TEST(Tensor, ConvertsFromAndToEigen) {
  Eigen::MatrixXf column_major(2, 3);
  column_major << 1, 2, 3, 4, 5, 6;
  const Tensor<float, 2> x = attn::to_tensor(column_major);
  EXPECT_EQ(x, attn::tensor<float>({{1, 2, 3}, {4, 5, 6}}));
  EXPECT_EQ(Eigen::MatrixXf(x.matrix()), column_major);
  EXPECT_EQ(attn::to_tensor(column_major.transpose()),
            attn::tensor<float>({{1, 4}, {2, 5}, {3, 6}}));
  EXPECT_EQ(attn::to_tensor(column_major * column_major.transpose()),
            attn::tensor<float>({{14, 32}, {32, 77}}));
  EXPECT_EQ(attn::to_tensor(column_major.array() * 2),
            attn::tensor<float>({{2, 4, 6}, {8, 10, 12}}));
  EXPECT_EQ(attn::to_tensor(column_major.array() > 3),
            attn::tensor<bool>({{false, false, false}, {true, true, true}}));
  EXPECT_EQ(attn::to_tensor(column_major.block(0, 1, 2, 2)), attn::tensor<float>({{2, 3}, {5, 6}}));
  EXPECT_EQ(attn::to_tensor(Eigen::VectorXd::LinSpaced(3, 1, 3)),
            attn::tensor<double>({{1}, {2}, {3}}));
  EXPECT_EQ(attn::to_tensor(Eigen::RowVector3d(1, 2, 3)), attn::tensor<double>({{1, 2, 3}}));
  EXPECT_EQ(attn::to_tensor(Eigen::MatrixXf(0, 4)).shape(), (Shape<2>{0, 4}));
}

TEST(Tensor, ExtentsMayBeZero) {
  Tensor<float, 4> x({2, 3, 0, 5});
  EXPECT_EQ(x.size(), 0);
  EXPECT_EQ(x.matrix(1, 2).rows(), 0);
  EXPECT_EQ(x.matrix(1, 2).cols(), 5);
  EXPECT_EQ(x.as_rows().rows(), 0);
  EXPECT_EQ(x.as_rows().cols(), 5);
  EXPECT_EQ(x.flat().size(), 0);
  EXPECT_EQ(x[1].shape(), (Shape<3>{3, 0, 5}));
  EXPECT_EQ(x.slice(0, 1, 2).shape(), (Shape<4>{1, 3, 0, 5}));
  EXPECT_EQ(x.reshape({0, 7}).shape(), (Shape<2>{0, 7}));
  EXPECT_EQ(x, (Tensor<float, 4>({2, 3, 0, 5})));
  EXPECT_EQ((Tensor<float, 2>({3, 0}).as_rows().rows()), 3);
}

}  // namespace
