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

}  // namespace symgraph_emulation

extern "C" {
extern symgraph_emulation::Position symgraph_position;

// Wait for the block; the value of the vote over its threads' predicates.
int symgraph_block_barrier(symgraph_emulation::Vote vote, int predicate, int line);
// Wait for the lanes of the mask, each leaving a value of up to 8 bytes that the others read until their next exchange.
void symgraph_warp_exchange(const char *what, unsigned mask, const void *value, unsigned size, int line);
const void *symgraph_warp_value(unsigned lane);
unsigned symgraph_lane();
unsigned symgraph_live_lanes();
// Wait for all blocks of a cooperative launch.
void symgraph_grid_barrier(int line);
// End the launch with an error.
[[noreturn]] void symgraph_fail(const char *message);
// An atomic operation on device memory is about to happen.
void symgraph_atomic(const void *address, unsigned size);
double symgraph_erfinv(double x);
// Run a kernel: body(closure) once per thread. The error, or null.
const char *symgraph_launch(const symgraph_emulation::Launch *launch, void (*body)(void *), void *closure,
                            char *shared_begin, char *shared_end);
}
