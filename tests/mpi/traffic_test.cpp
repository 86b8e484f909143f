// What ranks send, counted where they call MPI, against the formula.
#include <gtest/gtest.h>
#include <attn/attn.hpp>
#include <attn/mpi.hpp>
#include <attn/mpi/traffic.hpp>

#include "mpi/ranks.hpp"
#include "support/tensors.hpp"

using attn::Index, attn::Tensor;

/// Bytes that this rank has received from others.
static Index bytes = 0;

extern "C" {
int MPI_Irecv(void* buffer, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm,
              MPI_Request* request) {
  bytes += count;
  return PMPI_Irecv(buffer, count, type, source, tag, comm, request);
}
int MPI_Iallgatherv(const void* send, int send_count, MPI_Datatype send_type, void* receive,
                    const int counts[], const int begins[], MPI_Datatype type, MPI_Comm comm,
                    MPI_Request* request) {
  int size = 0;
  int rank = 0;
  PMPI_Comm_size(comm, &size);
  PMPI_Comm_rank(comm, &rank);
  for (int r = 0; r < size; ++r)
    if (r != rank) bytes += counts[r];
  return PMPI_Iallgatherv(send, send_count, send_type, receive, counts, begins, type, comm,
                          request);
}
}

namespace {

TEST(Traffic, IsWhatRanksReceive) {
  attn::Random random{1};
  const Index B = 2, H = 12, G = 6, E = 8, Ev = 5;
  for (const Index S : {100, 1500})
    for (const Index width : {1, 2, 3}) {
      if (ranks().size() % width != 0) continue;
      const attn::mpi::Sequence sequence(ranks(), S);
      const attn::mpi::SequenceParallel attend(sequence, {.ranks_of_heads = width});
      const Index n = sequence.size();
      attn::Tape<float> tape;
      const auto q = tape.variable(normal<float, 4>(random, {B, H, n, E})),
                 k = tape.variable(normal<float, 4>(random, {B, G, n, E})),
                 v = tape.variable(normal<float, 4>(random, {B, G, n, Ev}));
      const attn::mpi::Traffic wanted = attn::mpi::traffic(sequence, {B, H, G, E, Ev}, width);
      bytes = 0;
      const auto o = attend(q, k, v, attn::Causal{});
      EXPECT_EQ(bytes, wanted.forward * Index(sizeof(float))) << S << ' ' << width;
      bytes = 0;
      tape.backward(o, o.value());
      EXPECT_EQ(bytes, wanted.backward * Index(sizeof(float))) << S << ' ' << width;
      EXPECT_EQ(ranks().size() > 1, wanted.forward > 0);
    }
}

}  // namespace
