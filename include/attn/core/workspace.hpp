#pragma once

#include <attn/core/config.hpp>
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

/// The freed blocks of a thread, as two lists that are linked through the blocks themselves.
/// Trivial and constant-initialized, so that memory may be freed at any time, also by the
/// destructor of a static object.
struct FreeBlocks {
  struct Block {
    Block* next;
    std::size_t size;
  };
  Block* kept = nullptr;   ///< free since before the outermost Workspace began
  Block* freed = nullptr;  ///< freed while a Workspace is alive
  int workspaces = 0;      ///< alive on this thread
  bool thread_ends = false;

  /// Removes a block of exactly this size from a list; null if there is none.
  static void* take(Block*& list, std::size_t size) {
    Block** link = &list;
    while (*link && (*link)->size != size) link = &(*link)->next;
    return *link ? std::exchange(*link, (*link)->next) : nullptr;
  }
  void add(void* memory, std::size_t size) { freed = ::new (memory) Block{freed, size}; }
  static void release(Block*& list) {
    while (list) {
      Block* const block = std::exchange(list, list->next);
      ::operator delete(block, block_alignment(block->size));
    }
  }
};
constinit inline thread_local FreeBlocks free_blocks;

/// Returns a thread's free blocks to the system when the thread ends.
struct ThreadEnd {
  ~ThreadEnd() {
    FreeBlocks::release(free_blocks.kept);
    free_blocks.thread_ends = true;
  }
  void watch() const {}
};
inline thread_local ThreadEnd thread_end;

/// A block of uninitialized memory. Large blocks ask the system for huge pages, which cause far
/// fewer page faults; whether the request is granted does not matter.
inline void* allocate_block(std::size_t size) {
  if (free_blocks.workspaces > 0) {
    if (void* const memory = FreeBlocks::take(free_blocks.freed, size)) return memory;
    if (void* const memory = FreeBlocks::take(free_blocks.kept, size)) return memory;
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
  if (free_blocks.workspaces > 0) free_blocks.add(memory, size);
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
/// workspace of that thread. The end of a thread releases what it keeps.
/// Cost: looking for a block takes time proportional to the number of free ones.
class [[nodiscard]] Workspace {
 public:
  Workspace() {
    if (detail::free_blocks.workspaces++ == 0) detail::thread_end.watch();
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() {
    detail::FreeBlocks& blocks = detail::free_blocks;
    if (--blocks.workspaces > 0) return;
    detail::FreeBlocks::release(blocks.kept);
    std::swap(blocks.kept, blocks.freed);
    if (blocks.thread_ends) detail::FreeBlocks::release(blocks.kept);
  }
};

}  // namespace ATTN_ABI
}  // namespace attn
