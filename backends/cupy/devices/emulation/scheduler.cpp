// Runs the threads of emulated CUDA kernels: one fiber per thread that has to wait, all on one thread of the host.
//
// Threads run until they wait for others. With a seed, which goes on next is chosen against the program: lanes in random
// order, or one warp as far ahead of the others as barriers allow; blocks in random order, several in flight. The same
// seed gives the same run. Shared memory holds NaN when a block starts, so that reading what nobody wrote shows.
#include "scheduler.h"

#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#if !defined(__x86_64__) || defined(SYMGRAPH_PORTABLE)
#include <ucontext.h>
#endif

using namespace symgraph_emulation;

extern "C" {
Position symgraph_position;
}

namespace {

const size_t stack_bytes = 128 * 1024;
const unsigned stacks_per_slab = 64;
const unsigned warp_size = 32;
const unsigned most_threads = 1024;
const unsigned most_blocks_in_flight = 3;
const size_t guard_bytes = 4096;  // before each stack, and after dynamic shared memory: who writes there is found

// ---- Fibers

#if defined(__x86_64__) && !defined(SYMGRAPH_PORTABLE)

struct Context { void *sp = nullptr; };

// Push what the callee has to keep, change stacks, pop it from the other.
__attribute__((naked, noinline)) void change_stack(void **, void *) {
  __asm__ volatile(
      "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
      "movq %rsp, (%rdi)\n movq %rsi, %rsp\n"
      "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n ret\n");
}

void switch_to(Context &from, Context &to) { change_stack(&from.sp, to.sp); }

void prepare(Context &context, char *stack, void (*entry)()) {
  void **top = reinterpret_cast<void **>(stack + stack_bytes - 64);
  *--top = nullptr;  // where the entry would return to; it never does
  *--top = reinterpret_cast<void *>(entry);
  for (int i = 0; i < 6; i++) *--top = nullptr;
  context.sp = top;
}

#else

struct Context { ucontext_t state; };

void switch_to(Context &from, Context &to) { swapcontext(&from.state, &to.state); }

void prepare(Context &context, char *stack, void (*entry)()) {
  getcontext(&context.state);
  context.state.uc_stack.ss_sp = stack;
  context.state.uc_stack.ss_size = stack_bytes;
  context.state.uc_link = nullptr;
  makecontext(&context.state, entry, 0);
}

#endif

std::vector<char *> free_stacks;
std::vector<char *> slabs;

char *take_stack() {
  if (free_stacks.empty()) {
    void *slab = mmap(nullptr, stack_bytes * stacks_per_slab, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slab == MAP_FAILED) { std::perror("stacks of emulated threads"); std::abort(); }
    slabs.push_back(static_cast<char *>(slab));
    for (unsigned i = 0; i < stacks_per_slab; i++) {
      free_stacks.push_back(slabs.back() + i * stack_bytes);
      mprotect(free_stacks.back(), guard_bytes, PROT_NONE);  // rather a crash than another thread's variables
    }
  }
  char *stack = free_stacks.back();
  free_stacks.pop_back();
  return stack;
}

void drop_stacks() {
  for (char *slab : slabs) munmap(slab, stack_bytes * stacks_per_slab);
  slabs.clear();
  free_stacks.clear();
}

struct Random {
  uint64_t state;
  uint64_t next() {  // splitmix64
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  unsigned below(unsigned n) { return static_cast<unsigned>(next() % n); }
  template <class T> void shuffle(T *items, size_t n) {
    for (size_t i = n; i > 1; i--) std::swap(items[i - 1], items[next() % i]);
  }
};

// ---- Threads and blocks

enum class State : unsigned char { fresh, ready, at_warp, at_block, at_grid, done };

struct Thread {
  Context context;
  char *stack = nullptr;
  State state = State::fresh;
  int line = 0;
  const char *what = "";
  unsigned mask = 0;
  Vote vote = Vote::none;
  int predicate = 0;
  uint64_t offered = 0;   // the value it brings to an exchange
  uint64_t received = 0;  // what the others read: taken when all have come, read by all before any can come again
};

struct Block {
  dim3 index;
  unsigned number = 0, epoch = 0;  // the epoch counts the barriers it passed
  std::vector<Thread> threads;
  std::vector<unsigned> waiting_in_warp, warp_epoch;
  unsigned live = 0;
  unsigned last_warp = ~0u;
  int voted = 0;
  bool finished = false, at_grid = false;
  std::vector<char> static_shared, dynamic_shared;
};

struct Scheduler {
  const Launch *launch = nullptr;
  void (*body)(void *) = nullptr;
  void *closure = nullptr;
  Ranges ranges{};
  char *shared_begin = nullptr;
  size_t shared_size = 0;
  unsigned grid_epoch = 0;
  size_t place = 0, before = 0;  // where in the image it failed
  unsigned size = 0;  // threads of a block
  Random random{0};
  Block *block = nullptr;
  unsigned current = 0;
  std::vector<unsigned> order;  // threads to run now; those from `at` on have not had their turn
  size_t at = 0;
  Context home;
  char *spare = nullptr;  // the stack of a fiber that has nothing more to do
  bool failed = false;
  char message[1024];
};

Scheduler s;

uint3 index_of(unsigned thread) {
  const unsigned x = s.launch->block[0], y = s.launch->block[1];
  return {thread % x, thread / x % y, thread / (x * y)};
}

void set_current(unsigned thread) {
  s.current = thread;
  symgraph_position.thread = index_of(thread);
}

Thread &current() { return s.block->threads[s.current]; }

void go_home() { switch_to(current().context, s.home); }

void fail(const char *format, ...) {
  if (s.failed) return;
  s.failed = true;
  va_list values;
  va_start(values, format);
  std::vsnprintf(s.message, sizeof s.message, format, values);
  va_end(values);
}

// What a fiber does: a thread, and then further threads that have not begun, until one has to wait.
void fiber() {
  for (;;) {
    s.body(s.closure);
    Thread &thread = current();
    thread.state = State::done;
    s.block->live--;
    char *stack = std::exchange(thread.stack, nullptr);
    if (s.at < s.order.size() && s.block->threads[s.order[s.at]].state == State::fresh) {
      set_current(s.order[s.at++]);
      current().stack = stack;
    } else {
      s.spare = stack;
      Context unused;
      switch_to(unused, s.home);
    }
  }
}

void run_in_order() {
  s.at = 0;
  while (s.at < s.order.size() && !s.failed) {
    set_current(s.order[s.at++]);
    Thread &thread = current();
    if (thread.state == State::fresh) {
      thread.stack = take_stack();
      prepare(thread.context, thread.stack, fiber);
    }
    switch_to(s.home, thread.context);
    if (s.spare) free_stacks.push_back(std::exchange(s.spare, nullptr));
  }
}

bool runnable(const Thread &thread) { return thread.state == State::fresh || thread.state == State::ready; }

void add_lanes(const Block &block, unsigned warp) {
  const unsigned end = std::min(s.size, (warp + 1) * warp_size);
  for (unsigned i = warp * warp_size; i < end; i++)
    if (runnable(block.threads[i])) s.order.push_back(i);
}

// Choose who runs next. Odd seeds: every thread that can, lanes in random order. Even seeds: one warp, as long as it can.
void choose(Block &block) {
  s.order.clear();
  const unsigned warps = (s.size + warp_size - 1) / warp_size;
  if (s.launch->seed == 0 || s.launch->seed % 2 == 1) {
    for (unsigned w = 0; w < warps; w++) add_lanes(block, w);
  } else {
    if (block.last_warp < warps) add_lanes(block, block.last_warp);
    const unsigned start = s.random.below(warps);
    for (unsigned i = 0; i < warps && s.order.empty(); i++) {
      block.last_warp = (start + i) % warps;
      add_lanes(block, block.last_warp);
    }
  }
  if (s.launch->seed) s.random.shuffle(s.order.data(), s.order.size());
}

// ---- Barriers

void describe(char *text, size_t room, const Thread &thread, unsigned number) {
  const uint3 i = index_of(number);
  if (thread.state == State::done)
    std::snprintf(text, room, "thread (%u,%u,%u) has ended", i.x, i.y, i.z);
  else
    std::snprintf(text, room, "thread (%u,%u,%u) waits at %s, line %d", i.x, i.y, i.z, thread.what, thread.line);
}

void fail_between(const char *problem, const Block &block, unsigned a, unsigned b) {
  char first[160], second[160];
  describe(first, sizeof first, block.threads[a], a);
  describe(second, sizeof second, block.threads[b], b);
  fail("%s in block (%u,%u,%u): %s, but %s", problem, block.index.x, block.index.y, block.index.z, first, second);
}

// Let the lanes go whose whole group has come.
void release_warp(Block &block, unsigned warp) {
  const unsigned first = warp * warp_size;
  unsigned looked_at = 0;
  for (unsigned lane = 0; lane < warp_size && first + lane < s.size; lane++) {
    Thread &thread = block.threads[first + lane];
    if (thread.state != State::at_warp || (looked_at >> lane & 1)) continue;
    looked_at |= thread.mask;
    bool all = true;
    for (unsigned i = 0; i < warp_size; i++) {
      if (!(thread.mask >> i & 1)) continue;
      if (first + i >= s.size) {
        fail("%s, line %d: lane %u is in the mask, but the block has only %u threads", thread.what, thread.line, i,
             s.size);
        return;
      }
      const Thread &other = block.threads[first + i];
      if (other.state == State::done) {
        fail_between("a lane of the mask never comes", block, first + lane, first + i);
        return;
      }
      all &= other.state == State::at_warp && other.mask == thread.mask && other.line == thread.line
             && other.what == thread.what;
    }
    if (!all) continue;
    block.warp_epoch[warp]++;
    for (unsigned i = 0; i < warp_size; i++)
      if (thread.mask >> i & 1) {
        Thread &other = block.threads[first + i];
        other.received = other.offered;
        other.state = State::ready;
        block.waiting_in_warp[warp]--;
      }
  }
}

int result_of(const Block &block, Vote vote) {
  int either = 0, all = 1, count = 0;
  for (const Thread &thread : block.threads) {
    either |= thread.predicate;
    all &= thread.predicate;
    count += thread.predicate;
  }
  return vote == Vote::either ? either : vote == Vote::all ? all : vote == Vote::count ? count : 0;
}

// What all threads wait at, if it is one place; a failure if it is several. False when some wait for something else.
bool gathered(Block &block, State state, const char *problem) {
  unsigned waiting = 0, someone = 0;
  for (unsigned i = 0; i < s.size; i++)
    if (block.threads[i].state == state) { waiting++; someone = i; }
  if (waiting == 0 || waiting != block.live) return false;
  const Thread &one = block.threads[someone];
  for (unsigned i = 0; i < s.size; i++) {
    const Thread &other = block.threads[i];
    if (other.state == State::done || other.line != one.line || other.what != one.what) {
      fail_between(problem, block, someone, i);
      break;
    }
  }
  return true;
}

void fail_deadlock(Block &block) {
  unsigned first = 0, second = 0;
  while (block.threads[first].state == State::done) first++;
  for (unsigned i = 0; i < s.size; i++) {
    const Thread &a = block.threads[first], &b = block.threads[i];
    if (b.state == State::done || b.line != a.line || b.what != a.what || b.mask != a.mask) second = i;
  }
  fail_between("threads wait for each other for ever", block, first, second);
}

enum class Outcome { finished, at_grid, paused, failed };

// Run a block until it ends, stands at a grid barrier or, with others in flight, has passed some barrier.
Outcome drive(Block &block, bool may_pause) {
  const unsigned warps = (s.size + warp_size - 1) / warp_size;
  while (block.live) {
    choose(block);
    if (!s.order.empty()) {
      run_in_order();
      for (unsigned w = 0; w < warps && !s.failed; w++)
        if (block.waiting_in_warp[w]) release_warp(block, w);
    } else if (gathered(block, State::at_block, "a barrier that not all threads reach")) {
      block.voted = result_of(block, block.threads[0].vote);
      for (Thread &thread : block.threads) thread.state = State::ready;
      block.epoch++;
      if (!s.failed && may_pause && s.random.below(3) == 0) return Outcome::paused;
    } else if (gathered(block, State::at_grid, "a grid barrier that not all threads reach")) {
      if (!s.failed) return Outcome::at_grid;
    } else {
      fail_deadlock(block);
    }
    if (s.failed) return Outcome::failed;
  }
  return Outcome::finished;
}

// ---- Launches

void start(Block &block, size_t number) {
  const unsigned *grid = s.launch->grid;
  block.index = dim3(static_cast<unsigned>(number % grid[0]), static_cast<unsigned>(number / grid[0] % grid[1]),
                     static_cast<unsigned>(number / (static_cast<size_t>(grid[0]) * grid[1])));
  block.number = static_cast<unsigned>(number);
  block.epoch = 0;
  block.threads.assign(s.size, Thread());
  block.waiting_in_warp.assign((s.size + warp_size - 1) / warp_size, 0);
  block.warp_epoch = block.waiting_in_warp;
  block.live = s.size;
  block.last_warp = ~0u;
  block.finished = block.at_grid = false;
  block.static_shared.assign(s.shared_size, '\xFF');
  block.dynamic_shared.assign(s.launch->shared_bytes + 256 + guard_bytes, '\xFF');
}

void enter(Block &block) {
  s.block = &block;
  symgraph_position.block = {block.index.x, block.index.y, block.index.z};
  const uintptr_t address = reinterpret_cast<uintptr_t>(block.dynamic_shared.data());
  symgraph_position.dynamic_shared = reinterpret_cast<char *>((address + 255) / 256 * 256);
  s.ranges.dynamic_shared = symgraph_position.dynamic_shared;
  s.ranges.dynamic_shared_end = s.ranges.dynamic_shared + s.launch->shared_bytes;
  if (s.shared_size) std::memcpy(s.shared_begin, block.static_shared.data(), s.shared_size);
}

void leave(Block &block) {
  if (s.shared_size) std::memcpy(block.static_shared.data(), s.shared_begin, s.shared_size);
}

void look_at_guard() {
  const char *end = s.ranges.dynamic_shared_end;
  for (size_t i = 0; i < guard_bytes && s.launch->shared_bytes; i++)
    if (end[i] != '\xFF') { fail("a write %zu bytes after the end of dynamic shared memory", i); return; }
}

void release_grid(std::vector<Block> &blocks) {
  for (const Block &block : blocks)
    if (block.finished) { fail("a grid barrier that only some blocks reach: others have ended"); return; }
  s.grid_epoch++;
  for (Block &block : blocks) {
    block.at_grid = false;
    block.epoch++;
    for (Thread &thread : block.threads) thread.state = State::ready;
  }
}

// All blocks are alive together, as in a cooperative launch, or a few at a time.
void run_blocks(const std::vector<size_t> &numbers, size_t in_flight) {
  std::vector<Block> blocks(std::min(in_flight, numbers.size()));
  size_t begun = 0, ended = 0;
  for (Block &block : blocks) start(block, numbers[begun++]);
  while (ended < numbers.size() && !s.failed) {
    std::vector<size_t> able;
    for (size_t i = 0; i < blocks.size(); i++)
      if (!blocks[i].finished && !blocks[i].at_grid) able.push_back(i);
    if (able.empty()) { release_grid(blocks); continue; }
    Block &block = blocks[able[s.launch->seed ? s.random.below(static_cast<unsigned>(able.size())) : 0]];
    enter(block);
    const Outcome outcome = drive(block, s.launch->seed && blocks.size() > 1);
    if (blocks.size() > 1) leave(block);
    if (outcome == Outcome::at_grid) {
      block.at_grid = true;
      if (!s.launch->cooperative) fail("a grid barrier in a launch that is not cooperative");
    } else if (outcome == Outcome::finished) {
      look_at_guard();
      block.finished = true;
      ended++;
      if (begun < numbers.size()) start(block, numbers[begun++]);
    }
  }
}

void wait(State state, const char *what, int line) {
  Thread &thread = current();
  thread.state = state;
  thread.what = what;
  thread.line = line;
  go_home();
}

}  // namespace

namespace symgraph_emulation {

Moment moment() {
  const Thread &thread = current();
  return {s.block->number, s.current, s.block->epoch, s.block->warp_epoch[s.current / warp_size], s.grid_epoch,
          thread.stack, thread.stack + stack_bytes};
}

Ranges ranges() { return s.ranges; }

const Launch &launched() { return *s.launch; }

void failed_at(size_t place, size_t before) {
  s.place = place;
  s.before = before;
}

}  // namespace symgraph_emulation

extern "C" {

int symgraph_block_barrier(Vote vote, int predicate, int line) {
  static const char *const names[] = {"__syncthreads", "__syncthreads_or", "__syncthreads_and", "__syncthreads_count"};
  current().vote = vote;
  current().predicate = predicate != 0;
  wait(State::at_block, names[static_cast<int>(vote)], line);
  return s.block->voted;
}

unsigned symgraph_lane() { return s.current % warp_size; }

unsigned symgraph_live_lanes() {
  unsigned lanes = 0;
  const unsigned first = s.current / warp_size * warp_size;
  for (unsigned i = 0; i < warp_size && first + i < s.size; i++)
    lanes |= (s.block->threads[first + i].state != State::done ? 1u : 0u) << i;
  return lanes;
}

void symgraph_warp_exchange(const char *what, unsigned mask, const void *value, unsigned size, int line) {
  Thread &thread = current();
  if (!(mask >> symgraph_lane() & 1)) {
    fail("%s, line %d: lane %u calls it but is not in its mask %#x", what, line, symgraph_lane(), mask);
    go_home();
  }
  std::memcpy(&thread.offered, value, size);
  thread.mask = mask;
  s.block->waiting_in_warp[s.current / warp_size]++;
  wait(State::at_warp, what, line);
}

void symgraph_warp_value(unsigned lane, void *value, unsigned size) {
  const Thread &thread = current();
  if (!(thread.mask >> lane & 1)) {
    fail("%s, line %d: lane %u reads lane %u, which is not in the mask %#x", thread.what, thread.line, symgraph_lane(),
         lane, thread.mask);
    go_home();
  }
  std::memcpy(value, &s.block->threads[s.current / warp_size * warp_size + lane].received, size);
}

void symgraph_grid_barrier(int line) { wait(State::at_grid, "the grid barrier", line); }

void symgraph_fail(const char *message) {
  const uint3 t = symgraph_position.thread, b = symgraph_position.block;
  fail("thread (%u,%u,%u) of block (%u,%u,%u): %s", t.x, t.y, t.z, b.x, b.y, b.z, message);
  go_home();
  std::abort();
}

// Newton's method on erf from a logarithmic estimate (Winitzki 2008).
double symgraph_erfinv(double x) {
  if (!(x > -1.0 && x < 1.0)) return x == 1.0 ? HUGE_VAL : x == -1.0 ? -HUGE_VAL : NAN;
  const double l = std::log1p(-x * x), a = 0.147, b = 2.0 / (M_PI * a) + 0.5 * l;
  double y = std::copysign(std::sqrt(std::sqrt(b * b - l / a) - b), x);
  for (int i = 0; i < 4; i++) {
    const double error = x < 0 ? 1 + x - std::erfc(-y) : std::erfc(y) - (1 - x);
    y += error * std::sqrt(M_PI) / 2 * std::exp(y * y);
  }
  return y;
}

size_t symgraph_failed_at(int before) { return before ? s.before : s.place; }

const char *symgraph_launch(const Launch *launch, void (*body)(void *), void *closure, const Ranges *ranges) {
  s.launch = launch;
  s.body = body;
  s.closure = closure;
  s.ranges = *ranges;
  s.shared_begin = const_cast<char *>(ranges->static_shared);
  s.shared_size = static_cast<size_t>(ranges->static_shared_end - ranges->static_shared);
  s.grid_epoch = 0;
  s.place = s.before = 0;
  s.size = launch->block[0] * launch->block[1] * launch->block[2];
  s.random = Random{launch->seed};
  s.failed = false;
  symgraph_position.block_size = dim3(launch->block[0], launch->block[1], launch->block[2]);
  symgraph_position.grid = dim3(launch->grid[0], launch->grid[1], launch->grid[2]);
  if (s.size == 0 || s.size > most_threads) return "a block has 1 to 1024 threads";
  const size_t count = static_cast<size_t>(launch->grid[0]) * launch->grid[1] * launch->grid[2];
  std::vector<size_t> numbers(count);
  for (size_t i = 0; i < count; i++) numbers[i] = i;
  if (launch->seed) s.random.shuffle(numbers.data(), count);
  accesses_begin();
  run_blocks(numbers, launch->cooperative ? count : launch->seed ? 1 + s.random.below(most_blocks_in_flight) : 1);
  if (s.failed || slabs.size() > 2 * most_threads / stacks_per_slab) drop_stacks();
  return s.failed ? s.message : nullptr;
}
}
