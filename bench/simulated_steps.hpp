// Work and gatherings in few steps of the simulator, whose own time otherwise grows with the cube
// of the number of ranks. The simulated time is the same.
//
// - The work between two calls of MPI is simulated as one piece: SMPI keeps every piece in a list
//   that it searches whenever a message has come.
// - SMPI gathers by a message between every two ranks, and then waits for any of n messages n
//   times, which takes n² steps. Here the same messages are waited for one after the other. Those
//   of 0 bytes, which it keeps in a list that it searches, are not sent. MPI lets a program define
//   a function of its own and call MPI's under the name PMPI_….
#pragma once

#include <mpi.h>

#include <algorithm>
#include <map>
#include <vector>

namespace simulated {

inline double operations = 0;  ///< of this rank, which have not taken their time yet

inline void finish_work() {
  if (operations > 0) smpi_execute_flops(operations);
  operations = 0;
}

/// The other messages of a gathering, by the request of its last.
inline std::map<MPI_Request, std::vector<MPI_Request>> gatherings;

}  // namespace simulated

/// Of bytes, as the library sends.
extern "C" inline int MPI_Iallgatherv(const void* mine, int count, MPI_Datatype type, void* all,
                                      const int* counts, const int* begins, MPI_Datatype,
                                      MPI_Comm comm, MPI_Request* request) {
  constexpr int tag = 1;
  simulated::finish_work();
  int here = 0, ranks = 0;
  PMPI_Comm_rank(comm, &here);
  PMPI_Comm_size(comm, &ranks);
  char* const place = static_cast<char*>(all);
  if (mine != MPI_IN_PLACE)
    std::copy_n(static_cast<const char*>(mine), count, place + begins[here]);
  std::vector<MPI_Request> requests;
  for (int n = 1; n < ranks; ++n) {
    const int from = (here + ranks - n) % ranks;
    if (counts[from] == 0) continue;
    PMPI_Irecv(place + begins[from], counts[from], type, from, tag, comm, &requests.emplace_back());
  }
  for (int n = 1; n < ranks && counts[here] > 0; ++n) {
    const int to = (here + n) % ranks;
    PMPI_Isend(place + begins[here], counts[here], type, to, tag, comm, &requests.emplace_back());
  }
  *request = MPI_REQUEST_NULL;
  if (requests.empty()) return MPI_SUCCESS;
  *request = requests.back();
  requests.pop_back();
  simulated::gatherings[*request] = std::move(requests);
  return MPI_SUCCESS;
}

extern "C" inline int MPI_Waitall(int count, MPI_Request requests[], MPI_Status*) {
  simulated::finish_work();
  for (int i = 0; i < count; ++i) {
    auto others = simulated::gatherings.extract(requests[i]);
    if (!others.empty())
      for (MPI_Request& request : others.mapped()) PMPI_Wait(&request, MPI_STATUS_IGNORE);
    PMPI_Wait(&requests[i], MPI_STATUS_IGNORE);
  }
  return MPI_SUCCESS;
}
