// What emulated kernels ask of the scheduler that runs their threads: see scheduler.cpp.
#pragma once
#include <cstddef>
#include <cstdint>

struct uint3 { unsigned x, y, z; };
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

namespace symgraph_emulation {

// Where the running thread stands.
struct Position {
  uint3 thread, block;
  dim3 block_size, grid;
  char *dynamic_shared;
};

// A stretch of device memory that kernels may touch.
struct Region {
  const char *begin, *end;
};

struct Launch {
  unsigned grid[3], block[3];
  size_t shared_bytes;           // dynamic shared memory
  int cooperative;
  uint64_t seed;                 // 0: threads and blocks in order; else an adversarial order
  const Region *regions;         // sorted by address
  size_t region_count;
};

enum class Vote { none, either, all, count };

// When the running thread does something: what it may see of the others' doings follows from this.
struct Moment {
  unsigned block, thread;
  unsigned block_epoch, warp_epoch, grid_epoch;  // barriers passed
  const char *stack, *stack_end;
};

// The fixed ranges of memory of a kernel.
struct Ranges {
  const char *static_shared, *static_shared_end, *dynamic_shared, *dynamic_shared_end, *image, *image_end;
};

}  // namespace symgraph_emulation

extern "C" {
extern symgraph_emulation::Position symgraph_position;

// Wait for the block; the value of the vote over its threads' predicates.
int symgraph_block_barrier(symgraph_emulation::Vote vote, int predicate, int line);
// Wait for the lanes of the mask, each leaving a value of up to 8 bytes that the others read until their next exchange.
void symgraph_warp_exchange(const char *what, unsigned mask, const void *value, unsigned size, int line);
void symgraph_warp_value(unsigned lane, void *value, unsigned size);
unsigned symgraph_lane();
unsigned symgraph_live_lanes();
// Wait for all blocks of a cooperative launch.
void symgraph_grid_barrier(int line);
// End the launch with an error.
[[noreturn]] void symgraph_fail(const char *message);
// An atomic operation on device memory is about to happen; a fence. Only kernels whose accesses are checked tell.
void symgraph_atomic(const void *address, unsigned size);
void symgraph_fence();
double symgraph_erfinv(double x);
// Run a kernel: body(closure) once per thread. The error, or null.
const char *symgraph_launch(const symgraph_emulation::Launch *launch, void (*body)(void *), void *closure,
                            const symgraph_emulation::Ranges *ranges);
// Where in the kernel's image the failure happened, or 0, and what went before it there, or 0: for finding lines.
size_t symgraph_failed_at(int before);
}

// Between scheduler.cpp and accesses.cpp.
namespace symgraph_emulation {
Moment moment();
Ranges ranges();
const Launch &launched();
void accesses_begin();
void failed_at(size_t place, size_t before);
}  // namespace symgraph_emulation
