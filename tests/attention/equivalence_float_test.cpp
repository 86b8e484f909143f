#include "attention/equivalence.hpp"

namespace {

using EquivalenceFloat = Equivalence<float>;

TEST_P(EquivalenceFloat, TiledIsReference) { run_share(); }

INSTANTIATE_TEST_SUITE_P(Drawn, EquivalenceFloat,
                         testing::Range<std::uint64_t>(0, EquivalenceFloat::shares));

}  // namespace
