#pragma once

#include <attn/core/thread_object.hpp>
#include <cstddef>
#include <new>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace attn {
inline namespace ATTN_ABI {
namespace detail {

/// The size of a block of memory that holds `bytes`: a multiple of 64, so that tensors of nearly
/// the same size can use the same block.
constexpr std::size_t block_size(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

/// The alignment of a block: a cache line and the widest vector, or a huge page for large blocks.
constexpr std::align_val_t block_alignment(std::size_t size) {
  constexpr std::size_t huge_page = std::size_t{1} << 21;
  return std::align_val_t{size < 2 * huge_page ? 64 : huge_page};
}

/// Free blocks, in lists by size that are linked through the blocks themselves. Trivial and
/// constant-initialized, so that memory may be freed at any time, also by the destructor of a
/// static object.
class BlockLists {
 public:
  void add(void* memory, std::size_t size) {
    Block*& list = list_of(size);
    list = ::new (memory) Block{list, size};
  }
  /// Removes a block of exactly this size; null if there is none.
  void* take(std::size_t size) {
    Block** link = &list_of(size);
    while (*link && (*link)->size != size) link = &(*link)->next;
    return *link ? std::exchange(*link, (*link)->next) : nullptr;
  }
  /// Returns the blocks to the system.
  void release() {
    for (Block*& list : lists_) {
      while (list) {
        Block* const block = std::exchange(list, list->next);
        ::operator delete(block, block_alignment(block->size));
      }
    }
  }

 private:
  struct Block {
    Block* next;
    std::size_t size;
  };
  static constexpr std::size_t count = 61;  // a prime: sizes are often multiples of powers of two
  Block*& list_of(std::size_t size) { return lists_[size / 64 % count]; }

  Block* lists_[count] = {};
};

/// The free blocks of a thread.
struct FreeBlocks {
  BlockLists kept;     ///< free since before the outermost Workspace began
  BlockLists freed;    ///< freed while a Workspace is alive
  int workspaces = 0;  ///< alive on this thread
  bool thread_ends = false;

  void release_unused() {
    kept.release();
    std::swap(kept, freed);
    if (thread_ends) kept.release();
  }
};

#ifdef __MINGW32__

/// MinGW frees the memory of thread_local variables before their destructors run.
struct OwnedFreeBlocks : FreeBlocks {
  ~OwnedFreeBlocks() { kept.release(); }
};
inline FreeBlocks& free_blocks() { return thread_object<OwnedFreeBlocks>(); }
inline void watch_thread_end() {}

#else

inline FreeBlocks& free_blocks() {
  static constinit thread_local FreeBlocks blocks;
  return blocks;
}
/// Returns this thread's free blocks to the system when the thread ends.
struct ThreadEnd {
  ~ThreadEnd() {
    free_blocks().kept.release();
    free_blocks().thread_ends = true;
  }
};
inline void watch_thread_end() { thread_object<ThreadEnd>(); }

#endif

/// A block of uninitialized memory. Large blocks ask the system for huge pages, which cause far
/// fewer page faults; whether the request is granted does not matter.
inline void* allocate_block(std::size_t size) {
  if (free_blocks().workspaces > 0) {
    if (void* const memory = free_blocks().freed.take(size)) return memory;
    if (void* const memory = free_blocks().kept.take(size)) return memory;
  }
  const std::align_val_t alignment = block_alignment(size);
  void* const memory = ::operator new(size, alignment);
#ifdef MADV_HUGEPAGE
  if (alignment != block_alignment(0)) madvise(memory, size, MADV_HUGEPAGE);
#endif
  return memory;
}

/// Frees what `allocate_block(size)` returned, on this thread or another.
inline void free_block(void* memory, std::size_t size) noexcept {
  if (free_blocks().workspaces > 0) free_blocks().freed.add(memory, size);
  else ::operator delete(memory, block_alignment(size));
}

}  // namespace detail

/// While a Workspace is alive, its thread recycles the memory of tensors: what is freed there is
/// kept, and a tensor of the same size (rounded up to 64 bytes) takes it instead of memory from the
/// system. A computation whose shapes have been seen by the workspace before it then allocates
/// nothing:
///
///     for (;;) { Workspace workspace; encoder(x); }   // allocates in the first round only
///
/// Workspaces nest; the outermost releases at its end what was kept before it and not used within
/// it, so that a thread keeps the memory that its last computation needed. Tensors may outlive the
/// workspace and may be freed on other threads: their memory then returns to the system, or to the
/// workspace of that thread. The end of a thread releases what it keeps. A Workspace ends on the
/// thread where it began.
class [[nodiscard]] Workspace {
 public:
  Workspace() {
    if (detail::free_blocks().workspaces++ == 0) detail::watch_thread_end();
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() {
    if (--detail::free_blocks().workspaces == 0) detail::free_blocks().release_unused();
  }

  /// Releases the memory that was not used since the last call, as the end of the workspace would:
  /// for one that outlives many computations. It does nothing within another workspace.
  void release_unused() {
    if (detail::free_blocks().workspaces == 1) detail::free_blocks().release_unused();
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
