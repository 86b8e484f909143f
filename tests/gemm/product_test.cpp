#include <gtest/gtest.h>
#include <attn/gemm/product.hpp>

#include "support/plain_attention.hpp"
#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Tensor;

template <class T>
class Product : public testing::Test {
 protected:
  attn::Random random{5};
  static double tolerance(Index k) {
    return (sizeof(T) == 4 ? 2.5e-6 : 5e-15) * (2 + std::sqrt(double(k)));
  }

  /// More exact than T, so that what is compared is the error of the product alone.
  using Exact = std::conditional_t<std::is_same_v<T, float>, double, long double>;
  using Matrix = Eigen::Matrix<Exact, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  static Matrix exact(const auto& x) { return x.template cast<Exact>(); }
  static double gap(const Tensor<T, 2>& C, const Matrix& wanted) {
    if (C.size() == 0) return 0;
    return double((C.matrix().template cast<Exact>() - wanted).cwiseAbs().maxCoeff());
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Product, Scalars);

TYPED_TEST(Product, IsThatOfEigen) {
  using T = TypeParam;
  const Index w = ATTN_DISPATCH(panel_rows<T>);
  for (const auto& [m, k, n] : std::vector<std::array<Index, 3>>{{1, 1, 1},
                                                                 {3, 5, 2},
                                                                 {4, 16, w},
                                                                 {7, 65, w + 1},
                                                                 {97, 33, 2 * w - 1},
                                                                 {130, 600, 50},
                                                                 {9, 600, 4 * w / 3},
                                                                 {5, 0, 7},
                                                                 {0, 4, 4},
                                                                 {2, 3, 0}}) {
    const auto A = normal<T, 2>(this->random, {m, k}), W = normal<T, 2>(this->random, {n, k}),
               D = normal<T, 2>(this->random, {m, n});
    const auto bias = normal<T, 1>(this->random, {n});
    const auto B = attn::PackedMatrix<T>::transposed(W);
    EXPECT_EQ(B.rows(), k);
    EXPECT_EQ(B.columns(), n);
    const auto AB = (this->exact(A.matrix()) * this->exact(W.matrix()).transpose()).eval();
    const attn::LeftFactor<T> left{A.data(), k, 1};
    Tensor<T, 2> C({m, n});
    attn::parallel_multiply(left, m, B, {}, {C.data(), n});
    EXPECT_LT(this->gap(C, AB), this->tolerance(k)) << m << ' ' << k << ' ' << n;
    attn::parallel_multiply(left, m, B, {bias.data()}, {C.data(), n});
    EXPECT_LT(this->gap(C, AB + this->exact(bias.flat().transpose()).replicate(m, 1)),
              this->tolerance(k))
        << "with a bias";
    C = D;
    attn::parallel_multiply(left, m, B, {C.data(), n}, {C.data(), n});
    EXPECT_LT(this->gap(C, AB + this->exact(D.matrix())), this->tolerance(k))
        << "added to what is there";
  }
}

TYPED_TEST(Product, PanelsHoldTheRightFactorAndOnlyASinglePanelIsASingleVector) {
  using T = TypeParam;
  const Index width = ATTN_DISPATCH(panel_rows<T>);
  for (Index n = 1; n <= 3 * width + 2; ++n) {
    const Index k = 3;
    const auto W = normal<T, 2>(this->random, {n, k});
    const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> Wt =
        W.matrix().transpose();
    const auto B = attn::PackedMatrix<T>::transposed(W),
               as_it_is = attn::PackedMatrix<T>::parallel(Wt);
    for (Index i = 0; i < k; ++i)
      for (Index j = 0; j < n; ++j)
        ASSERT_TRUE(B(i, j) == W(j, i) && as_it_is(i, j) == W(j, i))
            << i << ' ' << j << " of " << n;
    Index end = 0;
    for (Index p = 0; p < B.panels(); ++p) {
      ASSERT_EQ(B.panel(p).begin, end);
      end = B.panel(p).end;
      ASSERT_TRUE(B.panel(p).size() <= width && (B.panel(p).size() > width / 3 || B.panels() == 1))
          << p << " of " << n;
    }
    ASSERT_EQ(end, n);
  }
}

TYPED_TEST(Product, TakesATransposedLeftFactorAndWritesStridedRows) {
  using T = TypeParam;
  const Index m = 11, k = 20, n = 30;
  const auto At = normal<T, 2>(this->random, {k, m + 3}), W = normal<T, 2>(this->random, {n, k});
  Tensor<T, 2> C({m, n + 5});
  C.flat().setConstant(9);
  attn::parallel_multiply(attn::LeftFactor<T>{At.data(), 1, m + 3}, m,
                          attn::PackedMatrix<T>::transposed(W), {}, {C.data(), n + 5});
  const auto wanted =
      (this->exact(At.matrix().leftCols(m)).transpose() * this->exact(W.matrix()).transpose())
          .eval();
  EXPECT_LT((this->exact(C.matrix().leftCols(n)) - wanted).cwiseAbs().maxCoeff(),
            this->tolerance(k));
  EXPECT_EQ(C.matrix().rightCols(5).minCoeff(), T(9));
}

TYPED_TEST(Product, OfARowIsBitwiseIdenticalHoweverManyThereAre) {
  using T = TypeParam;
  const Index m = 203, k = 530, n = 2 * ATTN_DISPATCH(panel_rows<T>) + 5;
  const auto A = normal<T, 2>(this->random, {m, k}), W = normal<T, 2>(this->random, {n, k});
  const auto B = attn::PackedMatrix<T>::transposed(W);
  Tensor<T, 2> all({m, n}), one({1, n});
  attn::parallel_multiply(attn::LeftFactor<T>{A.data(), k, 1}, m, B, {}, {all.data(), n});
  for (const Index row : {Index{0}, Index{1}, Index{96}, Index{150}, m - 1}) {
    attn::parallel_multiply(attn::LeftFactor<T>{A.data() + row * k, k, 1}, 1, B, {},
                            {one.data(), n});
    EXPECT_TRUE((one.view() == all.slice(0, row, row + 1))) << row;
  }
  for (const Index threads : {1, 2, 3, 8}) {
    attn::set_num_threads(threads);
    Tensor<T, 2> again({m, n});
    attn::parallel_multiply(attn::LeftFactor<T>{A.data(), k, 1}, m, B, {}, {again.data(), n});
    EXPECT_TRUE(same_bits(again, all)) << threads << " threads";
  }
  attn::set_executor(attn::Pool{});
}

}  // namespace
