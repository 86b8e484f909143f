#pragma once

#include <atomic>
#include <cstddef>

/// Allocations so far, in a program one of whose files includes support/count_allocations.hpp.
inline std::atomic<std::size_t> allocations = 0;
