#pragma once

#include <attn/core/config.hpp>
#include <attn/core/error.hpp>
#include <string>

// The C++ bindings of Open MPI and MPICH, which the standard has removed, are left out.
#ifndef OMPI_SKIP_MPICXX
#define OMPI_SKIP_MPICXX 1
#endif
#ifndef MPICH_SKIP_MPICXX
#define MPICH_SKIP_MPICXX 1
#endif
#include <mpi.h>

namespace attn {
inline namespace ATTN_ABI {
namespace mpi {
namespace detail {

/// Checks what a function of MPI returned. Errors: Error with MPI's own description.
inline void expect_success(int code, const char* function) {
  if (code == MPI_SUCCESS) return;
  char description[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, description, &length);
  throw Error(std::string("attn::mpi: ") + function + " failed: " + description);
}

}  // namespace detail
}  // namespace mpi
}  // namespace ATTN_ABI
}  // namespace attn
