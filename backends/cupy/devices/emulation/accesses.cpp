// Looks at each access that checked kernels make to memory: is it inside an array, and is it ordered with others' accesses?
//
// Kernels are built with -fsanitize=thread, which puts a call in front of every load and store; the functions it calls
// are here, in place of the sanitizer's library. Threads of a block are ordered by barriers, lanes of a warp by warp
// operations too, blocks by the grid barrier, and by an atomic operation on a place after one on the same place, with a
// fence before the first. What is reported is an error under every schedule, also where the values came out right.
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <unordered_map>
#include <vector>

#include "scheduler.h"

using namespace symgraph_emulation;

namespace {

const unsigned cell_bytes = 4;
const unsigned most_repeats = 1000000;      // of a read that is to see what another thread writes
const unsigned most_ordered_blocks = 4096;  // of a launch in which atomics order blocks

// An access to some of the bytes of a cell. Epochs are those of the thread that made it.
struct Access {
  unsigned block, block_epoch, warp_epoch, grid_epoch, fences, releases;
  unsigned short thread;
  unsigned char bytes;  // a bit each; 0: no access
  unsigned place;       // in the kernel's image
};

// The last write, and two reads by different threads: any later writer differs from one of them.
struct Cell { Access write, reads[2]; };

// An atomic operation, by which a block lets others see what it did.
struct Release { unsigned thread, block_epoch, fences; };

using Clock = std::vector<unsigned>;  // for each block, how many of its releases have been seen

void join(Clock &clock, const Clock &other) {
  if (clock.size() < other.size()) clock.resize(other.size());
  for (size_t i = 0; i < other.size(); i++) clock[i] = std::max(clock[i], other[i]);
}

// What a block has let others see and has seen of them.
struct Order {
  unsigned fences = 0;
  std::vector<Release> releases;
  Clock seen;                                // by all its threads
  unsigned epoch = 0;                        // of what follows
  std::map<unsigned, Clock> seen_by_thread;  // since the last barrier
  std::vector<Cell> static_shared, dynamic_shared;
};

struct Shadow {
  const char *begin, *end;
  Cell *cells;  // pages that were never touched are zero
  size_t size;
};

std::unordered_map<unsigned, Order> orders;
std::unordered_map<const void *, Clock> places;  // what atomic operations have left at a place
std::vector<Shadow> shadows;
size_t last_shadow;
bool blocks_are_ordered;  // whether what blocks see of each other is followed

Order &order_of(unsigned block) { return orders[block]; }

const Clock &seen_by(Order &order, const Moment &now) {
  if (order.epoch < now.block_epoch) {
    for (auto &entry : order.seen_by_thread) join(order.seen, entry.second);
    order.seen_by_thread.clear();
    order.epoch = now.block_epoch;
  }
  const auto own = order.seen_by_thread.find(now.thread);
  return own == order.seen_by_thread.end() ? order.seen : own->second;
}

// Whether the running thread comes after an access, whatever the schedule.
bool after(const Access &access, const Moment &now) {
  if (access.grid_epoch < now.grid_epoch) return true;
  if (access.block == now.block) {
    return access.thread == now.thread || access.block_epoch < now.block_epoch
           || (access.thread / 32 == now.thread / 32 && access.warp_epoch < now.warp_epoch);
  }
  if (!blocks_are_ordered) return true;
  const Clock &seen = seen_by(order_of(now.block), now);
  if (access.block >= seen.size()) return false;
  const std::vector<Release> &releases = order_of(access.block).releases;
  for (unsigned i = access.releases; i < seen[access.block]; i++)
    if ((releases[i].thread == access.thread || access.block_epoch < releases[i].block_epoch)
        && access.fences < releases[i].fences)
      return true;
  return false;
}

unsigned place_of(const void *instruction) {
  return static_cast<unsigned>(static_cast<const char *>(instruction) - ranges().image);
}

[[noreturn]] void fail_order(const Access &before, bool wrote, bool writes, const char *memory, const void *caller) {
  const unsigned x = launched().block[0], y = launched().block[1];
  char text[300];
  std::snprintf(text, sizeof text, "%s %s that thread (%u,%u,%u) of block %u %s, and nothing orders the two",
                writes ? "writes" : "reads", memory, before.thread % x, before.thread / x % y, before.thread / (x * y),
                before.block, wrote ? "writes" : "reads");
  failed_at(place_of(caller), before.place);
  symgraph_fail(text);
}

void look_at_cell(Cell &cell, const Access &access, const Moment &now, bool writes, const char *memory,
                  const void *caller) {
  if (cell.write.bytes & access.bytes && !after(cell.write, now)) fail_order(cell.write, true, writes, memory, caller);
  if (!writes) {
    const Access &first = cell.reads[0];
    const bool other = first.bytes && (first.thread != access.thread || first.block != access.block);
    cell.reads[other && !after(first, now)] = access;
    return;
  }
  for (const Access &read : cell.reads)
    if (read.bytes & access.bytes && !after(read, now)) fail_order(read, false, true, memory, caller);
  cell.write = access;
  cell.reads[0].bytes = cell.reads[1].bytes = 0;
}

void look_at(Cell *cells, size_t offset, size_t size, bool writes, const char *memory, const Moment &now,
             const void *caller) {
  const Order &order = order_of(now.block);
  Access access{now.block, now.block_epoch, now.warp_epoch, now.grid_epoch, order.fences,
                static_cast<unsigned>(order.releases.size()), static_cast<unsigned short>(now.thread), 0,
                place_of(caller)};
  for (size_t i = offset; i < offset + size;) {
    const size_t cell = i / cell_bytes, end = std::min(offset + size, (cell + 1) * cell_bytes);
    access.bytes = static_cast<unsigned char>(((1u << (end - i)) - 1) << i % cell_bytes);
    look_at_cell(cells[cell], access, now, writes, memory, caller);
    i = end;
  }
}

Shadow *shadow_of(const char *address) {
  if (last_shadow < shadows.size() && address >= shadows[last_shadow].begin && address < shadows[last_shadow].end)
    return &shadows[last_shadow];
  const Launch &launch = launched();
  const Region *end = launch.regions + launch.region_count;
  const Region *next = std::upper_bound(launch.regions, end, address,
                                        [](const char *place, const Region &region) { return place < region.begin; });
  if (next == launch.regions || address >= next[-1].end) return nullptr;
  last_shadow = static_cast<size_t>(next - 1 - launch.regions);
  Shadow &shadow = shadows[last_shadow];
  if (!shadow.cells) {
    shadow.begin = next[-1].begin;
    shadow.end = next[-1].end;
    shadow.size = (static_cast<size_t>(shadow.end - shadow.begin) / cell_bytes + 1) * sizeof(Cell);
    shadow.cells = static_cast<Cell *>(mmap(nullptr, shadow.size, PROT_READ | PROT_WRITE,
                                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  }
  return &shadow;
}

[[noreturn]] void fail_outside(const char *address, size_t size, bool writes, const void *caller) {
  const Launch &launch = launched();
  char text[300];
  int n = std::snprintf(text, sizeof text, "%s %zu bytes outside all arrays", writes ? "writes" : "reads", size);
  const Region *nearest = nullptr;
  for (size_t i = 0; i < launch.region_count; i++)
    if (launch.regions[i].begin <= address) nearest = &launch.regions[i];
  if (nearest && address - nearest->end < 4096)
    std::snprintf(text + n, sizeof text - static_cast<size_t>(n), ", %td bytes after the end of one of %td bytes",
                  address - nearest->end, nearest->end - nearest->begin);
  else if (launch.region_count && address < launch.regions[0].begin && launch.regions[0].begin - address < 4096)
    std::snprintf(text + n, sizeof text - static_cast<size_t>(n), ", %td bytes before the start of one",
                  launch.regions[0].begin - address);
  failed_at(place_of(caller), 0);
  symgraph_fail(text);
}

// A thread that waits in a loop waits for ever: the others only run while it waits at a barrier.
void look_for_spinning(const char *address, const Moment &now, const void *caller) {
  static const char *place = nullptr;
  static unsigned block, thread, repeats;
  const bool again = place == address && block == now.block && thread == now.thread;
  repeats = again ? repeats + 1 : 0;
  place = address;
  block = now.block;
  thread = now.thread;
  if (repeats < most_repeats) return;
  repeats = 0;
  failed_at(place_of(caller), 0);
  symgraph_fail("waits in a loop for what another thread would have to write; only barriers wait here");
}

bool inside(const char *address, size_t size, const char *begin, const char *end) {
  return begin <= address && address + size <= end;
}

void look(const void *where, size_t size, bool writes, bool only_bounds, const void *caller) {
  const char *address = static_cast<const char *>(where);
  const Moment now = moment();
  if (inside(address, size, now.stack, now.stack_end)) return;
  if (only_bounds) look_for_spinning(address, now, caller);
  const Ranges r = ranges();
  if (inside(address, size, r.static_shared, r.static_shared_end)) {
    std::vector<Cell> &cells = order_of(now.block).static_shared;
    if (cells.empty()) cells.resize(static_cast<size_t>(r.static_shared_end - r.static_shared) / cell_bytes + 1);
    if (!only_bounds)
      look_at(cells.data(), static_cast<size_t>(address - r.static_shared), size, writes, "shared memory", now, caller);
  } else if (inside(address, size, r.dynamic_shared, r.dynamic_shared_end)) {
    std::vector<Cell> &cells = order_of(now.block).dynamic_shared;
    if (cells.empty()) cells.resize(static_cast<size_t>(r.dynamic_shared_end - r.dynamic_shared) / cell_bytes + 1);
    if (!only_bounds)
      look_at(cells.data(), static_cast<size_t>(address - r.dynamic_shared), size, writes, "shared memory", now, caller);
  } else if (Shadow *shadow = shadow_of(address)) {
    if (!inside(address, size, shadow->begin, shadow->end)) fail_outside(address, size, writes, caller);
    if (!only_bounds)
      look_at(shadow->cells, static_cast<size_t>(address - shadow->begin), size, writes, "global memory", now, caller);
  } else if (!inside(address, size, r.image, r.image_end)
             && !inside(address, size, reinterpret_cast<const char *>(&symgraph_position),
                        reinterpret_cast<const char *>(&symgraph_position + 1))) {
    fail_outside(address, size, writes, caller);
  }
}

}  // namespace

namespace symgraph_emulation {

void accesses_begin() {
  for (Shadow &shadow : shadows)
    if (shadow.cells) munmap(shadow.cells, shadow.size);
  shadows.assign(launched().region_count, Shadow{nullptr, nullptr, nullptr, 0});
  last_shadow = 0;
  const unsigned *grid = launched().grid;
  blocks_are_ordered = static_cast<uint64_t>(grid[0]) * grid[1] * grid[2] <= most_ordered_blocks;
  orders.clear();
  places.clear();
}

}  // namespace symgraph_emulation

extern "C" {

void symgraph_fence() { order_of(moment().block).fences++; }

void symgraph_atomic(const void *address, unsigned size) {
  look(address, size, true, true, __builtin_return_address(0));
  if (!blocks_are_ordered) return;
  const Moment now = moment();
  Order &order = order_of(now.block);
  Clock seen = seen_by(order, now);
  Clock &left = places[address];
  join(seen, left);
  order.releases.push_back({now.thread, now.block_epoch, order.fences});
  if (seen.size() <= now.block) seen.resize(now.block + 1);
  seen[now.block] = static_cast<unsigned>(order.releases.size());
  join(left, seen);
  order.seen_by_thread[now.thread] = seen;
}

#define SYMGRAPH_HOOKS(n)                                                                                          \
  void __tsan_read##n(void *p) { look(p, n, false, false, __builtin_return_address(0)); }                          \
  void __tsan_write##n(void *p) { look(p, n, true, false, __builtin_return_address(0)); }                          \
  void __tsan_unaligned_read##n(void *p) { look(p, n, false, false, __builtin_return_address(0)); }                \
  void __tsan_unaligned_write##n(void *p) { look(p, n, true, false, __builtin_return_address(0)); }                \
  void __tsan_volatile_read##n(void *p) { look(p, n, false, true, __builtin_return_address(0)); }                  \
  void __tsan_volatile_write##n(void *p) { look(p, n, true, true, __builtin_return_address(0)); }                  \
  void __tsan_unaligned_volatile_read##n(void *p) { look(p, n, false, true, __builtin_return_address(0)); }        \
  void __tsan_unaligned_volatile_write##n(void *p) { look(p, n, true, true, __builtin_return_address(0)); }
SYMGRAPH_HOOKS(1)
SYMGRAPH_HOOKS(2)
SYMGRAPH_HOOKS(4)
SYMGRAPH_HOOKS(8)
SYMGRAPH_HOOKS(16)
void __tsan_read_range(void *p, size_t n) { look(p, n, false, false, __builtin_return_address(0)); }
void __tsan_write_range(void *p, size_t n) { look(p, n, true, false, __builtin_return_address(0)); }
void __tsan_init() {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void *, void *) {}
void __tsan_vptr_read(void *) {}
}
