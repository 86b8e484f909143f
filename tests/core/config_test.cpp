// Replaces the library's assertions, as a host program may: here by an exception.
struct Asserted {
  const char* condition;
};
#define ATTN_ASSERT(condition) ((condition) ? void() : throw Asserted{#condition})

#include <gtest/gtest.h>

#include <attn/core/tensor.hpp>
#include <typeinfo>

namespace {

using attn::Index;

TEST(Config, AHostMayReplaceAssertions) {
  attn::Tensor<float, 2> x({2, 3});
  EXPECT_NO_THROW(x(1, 2));
  EXPECT_THROW(x(2, 0), Asserted);
  EXPECT_THROW(x(0, -1), Asserted);
  EXPECT_THROW(x.slice(0, 0, 1)(1, 0), Asserted);
  EXPECT_THROW((attn::Tensor<float, 3>({2, 3, 4}).matrix(2)), Asserted);
}

TEST(Config, TheInlineNamespaceNamesTheInstructionSetAndTheAssertions) {
#if defined(EIGEN_DONT_VECTORIZE)
  const std::string packets = "scalar";
#elif defined(__AVX512F__) && defined(__AVX512DQ__)
  const std::string packets = "avx512dq";
#elif defined(__AVX2__) && defined(__FMA__)
  const std::string packets = "avx2_fma";
#elif defined(__SSE2__) && !defined(__SSE3__)
  const std::string packets = "sse2";
#elif defined(__aarch64__)
  const std::string packets = "neon";
#else
  const std::string packets;
#endif
  const std::string name = typeid(attn::Tensor<float, 2>).name();
  EXPECT_NE(name.find(packets + "_to_" + std::to_string(ATTN_DISPATCHES) + "_custom"),
            std::string::npos)
      << name;
  static_assert(std::is_same_v<attn::Tensor<float, 2>, attn::ATTN_ABI::Tensor<float, 2>>);
}

TEST(Config, SizesHaveTheBitsOfAPointer) {
  static_assert(sizeof(Index) == sizeof(void*) && std::is_signed_v<Index>);
}

}  // namespace
