// Products with weights of 4 to 32 bits, against those with the numbers that they stand for.
#include <gtest/gtest.h>
#include <attn/gemm/round_weight.hpp>
#include <attn/gemm/stored_product.hpp>

#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Range, attn::Storage, attn::StoredMatrix, attn::Tensor, attn::WeightFormat;

template <class T>
Tensor<T, 2> numbers(const StoredMatrix& W) {
  Tensor<T, 2> x({W.rows(), W.columns()});
  for (Index i = 0; i < W.rows(); ++i)
    for (Index k = 0; k < W.columns(); ++k) x(i, k) = static_cast<T>(W(i, k));
  return x;
}

/// C = A Wᵀ + bias, of some rows of W, stored and packed.
template <class T>
void is_bitwise_the_product_of_its_numbers(const StoredMatrix& W, Index rows, Range some) {
  attn::Random random{static_cast<std::uint64_t>(rows)};
  const auto A = normal<T, 2>(random, {rows, W.columns()});
  const auto bias = normal<T, 1>(random, {some.size()});
  Tensor<T, 2> stored({rows, some.size()}), packed({rows, some.size()});
  const attn::LeftFactor<T> left{A.data(), W.columns(), 1};
  attn::parallel_multiply<T>(left, rows, attn::StoredRowsOf{W, some}, {bias.data(), 0},
                             {stored.data(), some.size()});
  const Tensor<T, 2> plain = numbers<T>(W);
  const auto right = attn::PackedMatrix<T>::transposed(plain.slice(0, some.begin, some.end));
  attn::parallel_multiply<T>(left, rows, right, {bias.data(), 0}, {packed.data(), some.size()});
  EXPECT_TRUE(same_bits(stored, packed)) << rows << " rows, from " << some.begin;

  for (Index i = 0; i < rows; i += 7)
    for (Index j = 0; j < some.size(); j += 11) {
      double sum = static_cast<double>(bias(j)), size = 0;
      for (Index k = 0; k < W.columns(); ++k) {
        const double term = double(A(i, k)) * double(W(some.begin + j, k));
        sum += term;
        size += std::abs(term);
      }
      EXPECT_NEAR(double(stored(i, j)), sum, (sizeof(T) == 4 ? 1e-6 : 1e-14) * (size + 1));
    }
}
void is_bitwise_the_product_of_its_numbers(const StoredMatrix& W) {
  for (const Index rows : {1, 2, 4, 5, 30, 97}) {
    is_bitwise_the_product_of_its_numbers<float>(W, rows, {0, W.rows()});
    is_bitwise_the_product_of_its_numbers<double>(W, rows, {0, W.rows()});
  }
  is_bitwise_the_product_of_its_numbers<float>(W, 1, {W.rows() / 3, W.rows()});
  is_bitwise_the_product_of_its_numbers<float>(W, 9, {W.rows() / 3, W.rows() - W.rows() / 4});
}

const Storage storages[] = {Storage::float32, Storage::bfloat16, Storage::float16, Storage::int8,
                            Storage::int4};

TEST(StoredProduct, IsBitwiseTheProductOfTheNumbers) {
  attn::Random random{1};
  for (const auto& [out, in] : {std::pair<Index, Index>{48, 32}, {1, 1}, {100, 77}, {130, 1101}}) {
    const auto W = normal<float, 2>(random, {out, in});
    for (const Storage storage : storages)
      is_bitwise_the_product_of_its_numbers(attn::round_weight<float>(W.view(), storage));
  }
}

/// Every format that a file may have: with and without minima, float scales, groups of 16.
TEST(StoredProduct, OfEveryFormatOfIntegers) {
  for (const Storage storage : {Storage::int8, Storage::int4})
    for (const bool has_minimum : {false, true})
      for (const bool wide : {false, true})
        for (const Index group : {16, 32}) {
          StoredMatrix W({storage, has_minimum, wide, group}, 70, 90);
          attn::Random random{2};
          for (Index i = 0; i < 70; ++i)
            for (Index g = 0; g * group < 90; ++g) {
              std::vector<std::int8_t> q;
              for (Index k = 0; k < group; ++k)
                q.push_back(static_cast<std::int8_t>(
                    storage == Storage::int8 ? random.index(256) - 128 : random.index(16)));
              const float scale = static_cast<float>(random.index(1000)) / 1024,
                          minimum = static_cast<float>(random.index(1000)) / 512 - 1;
              W.set(i, g, {scale, minimum, q.data()});
              const Index first = g * group,
                          zero = storage == Storage::int4 && !has_minimum ? 8 : 0;
              for (Index k = 0; k < std::min(group, 90 - first); ++k)
                EXPECT_EQ(W(i, first + k), scale * static_cast<float>(q[std::size_t(k)] - zero) +
                                               (has_minimum ? minimum : 0));
            }
          is_bitwise_the_product_of_its_numbers(W);
        }
}

template <class T>
double largest_change(const Tensor<T, 2>& W, Storage storage) {
  const StoredMatrix stored = attn::round_weight<T>(W.view(), storage);
  double worst = 0;
  for (Index i = 0; i < W.shape()[0]; ++i)
    for (Index k = 0; k < W.shape()[1]; ++k)
      worst = std::max(worst, std::abs(double(stored(i, k)) - double(W(i, k))));
  return worst;
}

TEST(RoundWeight, ChangesAWeightByHalfAStepAtMost) {
  attn::Random random{3};
  Tensor<float, 2> W({50, 70});
  for (Index i = 0; i < W.size(); ++i) W.data()[i] = float(random.uniform<double>() * 2 - 1);
  EXPECT_EQ(largest_change(W, Storage::float32), 0);
  EXPECT_LE(largest_change(W, Storage::bfloat16), 1.0 / 512);
  EXPECT_LE(largest_change(W, Storage::float16), 1.0 / 4096);
  EXPECT_LE(largest_change(W, Storage::int8), 0.5 / 127 * 1.002 + 1.0 / 2048);
  EXPECT_LE(largest_change(W, Storage::int4), 1.0 / 15 * 1.01 + 1.0 / 2048);
  EXPECT_GT(largest_change(W, Storage::int8), 0.3 / 127);
}

/// Scales that float16 does not hold are floats.
TEST(RoundWeight, OfTinyAndHugeWeights) {
  for (const double size : {1e-30, 1e-6, 1e30}) {
    attn::Random random{4};
    Tensor<float, 2> W({5, 40});
    for (Index i = 0; i < W.size(); ++i)
      W.data()[i] = float((random.uniform<double>() * 2 - 1) * size);
    EXPECT_LE(largest_change(W, Storage::int8), size / 127 * 0.51);
    EXPECT_LE(largest_change(W, Storage::int4), size / 15 * 1.01);
    EXPECT_TRUE(attn::round_weight<float>(W.view(), Storage::int8).format().wide_scales);
  }
  const Tensor<float, 2> zeros({3, 33});
  for (const Storage storage : storages) EXPECT_EQ(largest_change(zeros, storage), 0);
}

TEST(RoundWeight, TakesTheMemoryOfItsBits) {
  const Tensor<float, 2> W({480, 640});
  const double weights = 480 * 640;
  const auto bits = [&](Storage storage) {
    return 8 * double(attn::round_weight<float>(W.view(), storage).size()) / weights;
  };
  EXPECT_EQ(bits(Storage::float32), 32);
  EXPECT_EQ(bits(Storage::bfloat16), 16);
  EXPECT_EQ(bits(Storage::int8), 8.5);
  EXPECT_EQ(bits(Storage::int4), 5);
}

}  // namespace
