#pragma once

#include <gtest/gtest.h>

#include <attn/mpi/world.hpp>

/// The ranks that this test program runs on.
const attn::mpi::World& ranks();
