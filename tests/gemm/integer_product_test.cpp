// Products of activations that are rounded to integers with weights of 8 and 4 bits, against plain
// loops over the integers.
#include <gtest/gtest.h>
#include <attn/gemm/integer_product.hpp>
#include <attn/gemm/round_weight.hpp>
#include <attn/parallel/executor.hpp>

#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Range, attn::Storage, attn::StoredMatrix, attn::Tensor, attn::WeightFormat;
using attn::detail::RoundedBlock;

/// A row as integers.
template <class T>
std::vector<RoundedBlock> rounded(const T* x, Index columns) {
  std::vector<RoundedBlock> blocks(static_cast<std::size_t>((columns + 31) / 32));
  ATTN_DISPATCH(round_row<T>(attn::LeftFactor<T>{x, columns, 1}, 0, columns, blocks.data()));
  return blocks;
}

/// C = A Wᵀ + bias for some rows of W.
template <class T>
Tensor<T, 2> product(const Tensor<T, 2>& A, const StoredMatrix& W, Range some,
                     const Tensor<T, 1>& bias) {
  Tensor<T, 2> C({A.shape()[0], some.size()});
  attn::parallel_multiply<T>({A.data(), W.columns(), 1}, A.shape()[0], attn::IntegerRowsOf{W, some},
                             {bias.data(), 0}, {C.data(), some.size()});
  return C;
}

/// Every element is within rounding errors of the sum in double.
template <class T>
void expect_sums(const Tensor<T, 2>& A, const StoredMatrix& W, Range some) {
  attn::Random random{5};
  const auto bias = normal<T, 1>(random, {some.size()});
  const Tensor<T, 2> C = product(A, W, some, bias);
  for (Index i = 0; i < A.shape()[0]; ++i) {
    const std::vector<RoundedBlock> a = rounded(&A(i, 0), W.columns());
    for (Index j = 0; j < some.size(); ++j) {
      double sum = double(bias(j)), size = std::abs(sum);
      for (Index k = 0; k < W.columns(); ++k) {
        const RoundedBlock& block = a[std::size_t(k / 32)];
        const double term =
            double(block.scale) * block.integers[k % 32] * double(W(some.begin + j, k));
        sum += term;
        size += std::abs(term);
      }
      ASSERT_NEAR(double(C(i, j)), sum, 1e-6 * size) << i << " " << j;
    }
  }
}

/// Every row is bitwise that of a product with this row alone.
template <class T>
void expect_each_row_alone(const Tensor<T, 2>& A, const StoredMatrix& W) {
  const Tensor<T, 1> bias({W.rows()});
  const Tensor<T, 2> all = product(A, W, {0, W.rows()}, bias);
  for (Index i = 0; i < A.shape()[0]; ++i) {
    const Tensor<T, 2> one = product(A.slice(0, i, i + 1).copy(), W, {0, W.rows()}, bias);
    EXPECT_TRUE(same_bits(one, all.slice(0, i, i + 1).copy())) << "row " << i;
  }
}

/// Weights of drawn integers, the extremes among them, in every format that a file may have.
template <class F>
void for_each_format(Index rows, Index columns, F&& f) {
  attn::Random random{2};
  for (const Storage storage : {Storage::int8, Storage::int4})
    for (const bool has_minimum : {false, true})
      for (const bool wide : {false, true})
        for (const Index group : {16, 32}) {
          StoredMatrix W({storage, has_minimum, wide, group}, rows, columns);
          for (Index i = 0; i < rows; ++i)
            for (Index g = 0; g * group < columns; ++g) {
              std::vector<std::int8_t> q;
              for (Index k = 0; k < group; ++k)
                q.push_back(static_cast<std::int8_t>(
                    storage == Storage::int8 ? random.index(256) - 128 : random.index(16)));
              W.set(i, g,
                    {static_cast<float>(random.index(1000)) / 1024,
                     static_cast<float>(random.index(1000)) / 512 - 1, q.data()});
            }
          f(W);
        }
}

TEST(IntegerProduct, IsTheSumOverIntegersInEveryFormat) {
  attn::Random random{1};
  for (const auto& shape : {std::array<Index, 2>{48, 32}, {1, 1}, {70, 90}, {100, 1101}}) {
    const Index out = shape[0], in = shape[1];
    for_each_format(out, in, [&](const StoredMatrix& W) {
      for (const Index rows : {1, 3, 4, 9}) {
        expect_sums(normal<float, 2>(random, {rows, in}), W, {0, out});
        expect_sums(normal<double, 2>(random, {rows, in}), W, {out / 3, out - out / 4});
      }
    });
  }
}

TEST(IntegerProduct, GivesARowWhatItGetsAlone) {
  attn::Random random{3};
  for_each_format(70, 90, [&](const StoredMatrix& W) {
    for (const Index rows : {2, 7, 98})
      expect_each_row_alone(normal<float, 2>(random, {rows, 90}), W);
  });
  const auto W = attn::round_weight<float>(normal<float, 2>(random, {5, 40}).view(), Storage::int8);
  expect_each_row_alone(normal<float, 2>(random, {970, 40}), W);
  expect_each_row_alone(normal<double, 2>(random, {5, 40}), W);
}

/// The largest integers of both sides, whose sums are the closest to overflow.
TEST(IntegerProduct, OfTheLargestIntegersDoesNotOverflow) {
  for (const Storage storage : {Storage::int8, Storage::int4})
    for (const int q : {-128, 127, 15}) {
      if (storage == Storage::int4 && q != 15) continue;
      const std::vector<std::int8_t> integers(32, static_cast<std::int8_t>(q));
      StoredMatrix W({storage}, 48, 64);
      for (Index i = 0; i < 48; ++i)
        for (Index g = 0; g < 2; ++g) W.set(i, g, {1, 0, integers.data()});
      for (const float sign : {1.0F, -1.0F}) {
        Tensor<float, 2> A({5, 64});
        A.flat().setConstant(sign);
        const float wanted = sign * 64 * static_cast<float>(q - (storage == Storage::int4 ? 8 : 0));
        const Tensor<float, 2> C = product(A, W, {0, 48}, Tensor<float, 1>({48}));
        for (Index i = 0; i < C.size(); ++i)
          EXPECT_NEAR(C.data()[i], wanted, std::abs(wanted) * 1e-6F);
      }
    }
}

TEST(IntegerProduct, OfEachInstructionSetIsTheSame) {
  attn::Random random{4};
  const attn::InstructionSet before = attn::instruction_set();
  const auto A = normal<float, 2>(random, {6, 90});
  for_each_format(70, 90, [&](const StoredMatrix& W) {
    const Tensor<float, 1> bias({70});
    attn::set_instruction_set(attn::InstructionSet::native);
    const Tensor<float, 2> plain = product(A, W, {0, 70}, bias);
    expect_sums(A, W, {0, 70});
    for (const auto set : {attn::InstructionSet::avx2, attn::InstructionSet::avx512}) {
      if (set > attn::detail::best_instruction_set()) continue;
      attn::set_instruction_set(set);
      const Tensor<float, 2> other = product(A, W, {0, 70}, bias);
      for (Index i = 0; i < plain.size(); ++i)
        EXPECT_NEAR(plain.data()[i], other.data()[i], 1e-4F * (1 + std::abs(plain.data()[i])));
    }
    attn::set_instruction_set(before);
  });
}

TEST(IntegerProduct, DoesNotDependOnTheNumberOfThreads) {
  attn::Random random{6};
  const auto A = normal<float, 2>(random, {130, 200});
  const auto W =
      attn::round_weight<float>(normal<float, 2>(random, {300, 200}).view(), Storage::int4);
  const Tensor<float, 1> bias({300});
  attn::set_num_threads(1);
  const Tensor<float, 2> one = product(A, W, {0, 300}, bias);
  attn::set_num_threads(5);
  EXPECT_TRUE(same_bits(one, product(A, W, {0, 300}, bias)));
  attn::set_executor(attn::Pool{});
}

TEST(IntegerProduct, OfANaNOrAnInfinityIsNaN) {
  const auto W = attn::round_weight<float>(Tensor<float, 2>({50, 70}).view(), Storage::int8);
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    Tensor<float, 2> A({2, 70});
    A(1, 66) = bad;
    const Tensor<float, 2> C = product(A, W, {0, 50}, Tensor<float, 1>({50}));
    for (Index j = 0; j < 50; ++j) {
      EXPECT_EQ(C(0, j), 0);
      EXPECT_TRUE(std::isnan(C(1, j)));
    }
  }
}

TEST(RoundedBlock, HoldsTheNearestIntegersAndTheirSums) {
  attn::Random random{7};
  for (const double size : {1e-36, 1e-3, 1.0, 1e30})
    for (int draw = 0; draw < 100; ++draw) {
      Tensor<float, 1> x({50});
      for (Index k = 0; k < 50; ++k)
        x(k) = static_cast<float>((random.uniform<double>() * 2 - 1) * size);
      const std::vector<RoundedBlock> blocks = rounded(x.data(), 50);
      for (Index b = 0; b < 2; ++b) {
        const RoundedBlock& block = blocks[std::size_t(b)];
        double largest = 0;
        int halves[2] = {};
        for (Index k = 0; k < 32; ++k) {
          const double value = 32 * b + k < 50 ? double(x(32 * b + k)) : 0;
          const double exact = value / double(block.scale);
          EXPECT_NEAR(block.integers[k], exact, 0.5 + 1e-4);
          largest = std::max(largest, std::abs(value));
          halves[k / 16] += block.integers[k];
        }
        EXPECT_NEAR(double(block.scale), largest / 127, largest * 1e-8);
        EXPECT_EQ(block.sum(0, 16), halves[0]);
        EXPECT_EQ(block.sum(16, 16), halves[1]);
        EXPECT_EQ(block.sum(0, 32), halves[0] + halves[1]);
      }
    }
}

TEST(RoundedBlock, RoundsTiesToEven) {
  Tensor<float, 1> x({32});
  x(0) = 127;
  for (Index k = 1; k < 32; ++k) x(k) = static_cast<float>(k) - 16.5F;
  const std::vector<RoundedBlock> blocks = rounded(x.data(), 32);
  EXPECT_EQ(blocks[0].scale, 1);
  for (Index k = 1; k < 32; ++k) {
    EXPECT_EQ(blocks[0].integers[k] % 2, 0) << k;
    EXPECT_NEAR(blocks[0].integers[k], x(k), 0.5);
  }
}

TEST(RoundedBlock, OfTinyNumbersIsZero) {
  for (const float tiny : {0.0F, 1e-45F, 1e-38F}) {
    Tensor<float, 1> x({32});
    x.flat().setConstant(tiny);
    const std::vector<RoundedBlock> blocks = rounded(x.data(), 32);
    EXPECT_EQ(blocks[0].scale, 0);
    EXPECT_EQ(blocks[0].integers[3], 0);
  }
}

}  // namespace
