#pragma once

/// Several processes that compute together, with MPI: a program is `attn::mpi::run(argc, argv, f)`
/// and is started with `mpirun -n 4 program`. Results are bitwise identical to those of one
/// process. Checkpoints are in attn/mpi/checkpoint.hpp.

#include <attn/attn.hpp>
#include <attn/mpi/divided.hpp>
#include <attn/mpi/messages.hpp>
#include <attn/mpi/replicas.hpp>
#include <attn/mpi/run.hpp>
#include <attn/mpi/sequence_parallel.hpp>
#include <attn/mpi/sharded.hpp>
#include <attn/mpi/sum_gradients.hpp>
#include <attn/mpi/together.hpp>
#include <attn/mpi/traffic.hpp>
#include <attn/mpi/world.hpp>
#include <attn/train.hpp>
