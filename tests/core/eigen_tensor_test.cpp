#include <gtest/gtest.h>

#include <attn/core/eigen_tensor.hpp>

#include "support/expect_error.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index;
using attn::Tensor;

TEST(EigenTensor, MapsTheSameMemory) {
  attn::Random random{1};
  Tensor<float, 4> q = normal<float, 4>(random, {2, 3, 4, 5});
  Eigen::TensorMap<Eigen::Tensor<float, 4, Eigen::RowMajor>> map = attn::tensor_map(q);
  for (Index b = 0; b < 2; ++b)
    for (Index h = 0; h < 3; ++h)
      for (Index l = 0; l < 4; ++l)
        for (Index e = 0; e < 5; ++e) EXPECT_EQ(&map(b, h, l, e), &q(b, h, l, e));
  map(1, 2, 3, 4) = 7;
  EXPECT_EQ(q(1, 2, 3, 4), 7);
}

TEST(EigenTensor, ShuffleIsPermute) {
  attn::Random random{2};
  const Tensor<double, 3> x = normal<double, 3>(random, {2, 3, 5});
  Tensor<double, 3> shuffled({5, 2, 3});
  attn::tensor_map(shuffled) = attn::tensor_map(x).shuffle(std::array<int, 3>{2, 0, 1});
  EXPECT_EQ(shuffled, x.permute({2, 0, 1}));
}

TEST(EigenTensor, OfAConstTensorIsReadOnly) {
  const Tensor<float, 2> x({2, 3});
  static_assert(std::is_same_v<decltype(attn::tensor_map(x)),
                               Eigen::TensorMap<const Eigen::Tensor<float, 2, Eigen::RowMajor>>>);
  static_assert(std::is_same_v<decltype(attn::tensor_map(x.view())),
                               Eigen::TensorMap<const Eigen::Tensor<float, 2, Eigen::RowMajor>>>);
  EXPECT_EQ(attn::tensor_map(x).data(), x.data());
}

TEST(EigenTensor, NeedsAContiguousView) {
  Tensor<float, 2> x({4, 6});
  EXPECT_EQ(attn::tensor_map(x.slice(0, 1, 3)).dimension(0), 2);
  EXPECT_EQ(sentence_of<attn::ShapeError>([&] { attn::tensor_map(x.slice(1, 1, 3)); }),
            "tensor_map: a view must be contiguous, but (4, 2) has strides (6, 1)");
}

TEST(EigenTensor, OfAnEmptyTensorIsEmpty) {
  Tensor<float, 3> x({2, 0, 3});
  EXPECT_EQ(attn::tensor_map(x).size(), 0);
}

}  // namespace
