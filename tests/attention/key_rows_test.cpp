// Keys and values that lie in pages, or are stored as another type, against contiguous ones.
#include <gtest/gtest.h>
#include <attn/attention/scaled_dot_product.hpp>

#include <bit>

#include "support/tensors.hpp"

namespace {

using attn::Index, attn::Range, attn::Shape, attn::Tensor, attn::TensorView;

/// The upper half of a float, as bfloat16 has it, rounded toward zero.
struct HalfOfAFloat {
  std::uint16_t bits = 0;

  HalfOfAFloat() = default;
  explicit HalfOfAFloat(float x)
      : bits(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16)) {}
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
};

/// Rows of one head in pages of some rows, each at an address of its own.
template <class T>
class PagedRows {
 public:
  PagedRows(const std::vector<std::vector<T>>& pages, Index page, Index rows, Index columns)
      : pages_(&pages), page_(page), rows_(rows), columns_(columns) {}

  /// The rows as a left factor; `along_rows` if the product sums over the rows.
  struct Factor {
    const PagedRows* of;
    Index first;
    bool along_rows;

    const T* at(Index r, Index k) const {
      return along_rows ? of->row(first + k) + r : of->row(first + r) + k;
    }
    T load(const T* cursor, Index i) const { return cursor[along_rows ? i * of->columns_ : i]; }
    Index run(Index k, Index n) const {
      return along_rows ? std::min(n, of->page_ - (first + k) % of->page_) : n;
    }
  };
  Index rows() const { return rows_; }
  Index columns() const { return columns_; }
  Factor tile(Range range) const { return {this, range.begin, false}; }
  Factor transposed(Range range) const { return {this, range.begin, true}; }
  bool finite(Range range) const {
    for (Index j = range.begin; j < range.end; ++j)
      for (Index e = 0; e < columns_; ++e)
        if (!std::isfinite(row(j)[e])) return false;
    return true;
  }

 private:
  const T* row(Index i) const {
    return (*pages_)[std::size_t(i / page_)].data() + i % page_ * columns_;
  }

  const std::vector<std::vector<T>>* pages_;
  Index page_, rows_, columns_;
};

/// Keys or values (B, G, S, E) in pages.
template <class T>
class PagedHeads {
 public:
  using Scalar = T;

  PagedHeads(const Tensor<T, 4>& x, Index page) : shape_(x.shape()), page_(page) {
    for (Index head = 0; head < shape_[0] * shape_[1]; ++head) {
      std::vector<std::vector<T>> pages;
      const T* const data = x.data() + head * shape_[2] * shape_[3];
      for (Index j = 0; j < shape_[2]; j += page)
        pages.emplace_back(data + j * shape_[3], data + std::min(j + page, shape_[2]) * shape_[3]);
      heads_.push_back(std::move(pages));
    }
  }
  const Shape<4>& shape() const { return shape_; }
  PagedRows<T> rows(Index b, Index g) const {
    return {heads_[std::size_t(b * shape_[1] + g)], page_, shape_[2], shape_[3]};
  }

 private:
  Shape<4> shape_;
  Index page_;
  std::vector<std::vector<std::vector<T>>> heads_;
};

static_assert(attn::KeyRows<attn::StridedRows<float>, float>);
static_assert(attn::KeyRows<attn::StridedRows<double, float>, double>);
static_assert(attn::KeyRows<attn::StridedRows<float, HalfOfAFloat>, float>);
static_assert(attn::KeyRows<PagedRows<double>, double> && attn::KeyHeads<PagedHeads<double>>);
static_assert(!attn::KeyRows<attn::StridedRows<float>, double>);

/// Forward and backward with keys and values of any storage, in one list.
template <class Kernel, class T, class Keys>
std::vector<T> computed(const Kernel& kernel, const Tensor<T, 4>& q, const Keys& k, const Keys& v) {
  const attn::ScaledDotProductAttention attend({.align = attn::Align::lower_right}, kernel);
  const auto rule = attn::Causal{} & attn::Softcap{4};
  const Shape<4> key_shape = k.shape(), value_shape = v.shape();
  const Index B = q.shape()[0], H = q.shape()[1], L = q.shape()[2];
  Tensor<T, 4> o({B, H, L, value_shape[3]}), dq(q.shape()), dk(key_shape), dv(value_shape);
  Tensor<T, 3> log_sum_exp({B, H, L});
  const attn::AttentionInputs<T, Keys, Keys> inputs{q, k, v};
  attend.forward(inputs, {o, std::nullopt, log_sum_exp.view()}, rule);
  attend.backward(inputs, {o, log_sum_exp, o}, rule, {dq, dk, dv});
  std::vector<T> all;
  for (const auto* x : {&o, &dq, &dk, &dv}) all.insert(all.end(), x->data(), x->data() + x->size());
  return all;
}

TEST(KeyRows, InPagesGiveBitwiseWhatContiguousRowsGive) {
  attn::Random random{1};
  const auto q = normal<double, 4>(random, {1, 4, 30, 9});
  const auto k = normal<double, 4>(random, {1, 2, 210, 9}),
             v = normal<double, 4>(random, {1, 2, 210, 9});
  using View = TensorView<const double, 4>;
  const auto compare = [&](const auto& kernel) {
    const auto wanted = computed<>(kernel, q, View(k), View(v));
    for (const Index page : {1, 7, 64, 192, 500})
      EXPECT_EQ(computed<>(kernel, q, PagedHeads(k, page), PagedHeads(v, page)), wanted) << page;
  };
  compare(attn::Tiled{});
  compare(attn::Reference{});
}

TEST(KeyRows, OfAnotherTypeGiveBitwiseWhatTheConvertedOnesGive) {
  attn::Random random{2};
  const auto q = normal<float, 4>(random, {1, 4, 30, 20});
  auto k = normal<float, 4>(random, {1, 2, 210, 20}), v = normal<float, 4>(random, {1, 2, 210, 20});
  std::vector<HalfOfAFloat> stored_k, stored_v;
  const auto store = [](Tensor<float, 4>& x, std::vector<HalfOfAFloat>& stored) {
    for (Index i = 0; i < x.size(); ++i) {
      stored.emplace_back(x.data()[i]);
      x.data()[i] = float(stored.back());
    }
  };
  store(k, stored_k);
  store(v, stored_v);
  using View = TensorView<const float, 4>;
  using Stored = TensorView<const HalfOfAFloat, 4>;
  const auto compare = [&](const auto& kernel) {
    EXPECT_EQ(computed<>(kernel, q, Stored(stored_k.data(), k.shape()),
                         Stored(stored_v.data(), v.shape())),
              computed<>(kernel, q, View(k), View(v)));
  };
  compare(attn::Tiled{});
  compare(attn::Reference{});
}

TEST(KeyRows, AreTakenByTheFunctorAsOperands) {
  attn::Random random{3};
  const auto q = normal<float, 4>(random, {1, 2, 3, 8}),
             k = normal<float, 4>(random, {1, 1, 50, 8});
  const attn::ScaledDotProductAttention attend;
  const PagedHeads paged(k, 16);
  EXPECT_TRUE(same_bits(attend(q, paged, paged), attend(q, k, k)));
}

}  // namespace
