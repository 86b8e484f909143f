#include "attention/equivalence.hpp"

namespace {

using EquivalenceDouble = Equivalence<double>;

TEST_P(EquivalenceDouble, TiledIsReference) { run_share(); }

INSTANTIATE_TEST_SUITE_P(Drawn, EquivalenceDouble,
                         testing::Range<std::uint64_t>(0, EquivalenceDouble::shares));

}  // namespace
