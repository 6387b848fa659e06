// CUDA C for a C++ compiler of the host: put in front of the unchanged text of generated kernels.
//
// Kernels include nothing and use what NVRTC knows of itself: index variables, barriers, warp operations, atomics,
// bit casts, the mathematics of <math.h>. SYMGRAPH_EMULATED tells them that they do not run on a GPU.
#pragma once
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <type_traits>
#include <utility>

#include "scheduler.h"

#define SYMGRAPH_EMULATED 1
#define __CUDA_ARCH__ 900
#define __global__
#define __device__
#define __host__
#define __constant__ static
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("symgraph_shared"), used))
// What `extern __shared__ type name[];` is turned into before it is compiled.
#define SYMGRAPH_DYNAMIC_SHARED(type, name) type *const name = reinterpret_cast<type *>(symgraph_position.dynamic_shared)

#define threadIdx (symgraph_position.thread)
#define blockIdx (symgraph_position.block)
#define blockDim (symgraph_position.block_size)
#define gridDim (symgraph_position.grid)
constexpr int warpSize = 32;

// A macro would do the same to names of the kernel's own; functions that know the line of their caller do not.
#define SYMGRAPH_LINE int line = __builtin_LINE()

// ---- Vectors

#define SYMGRAPH_VECTORS(type, name, align2, align4)                                                          \
  struct alignas(align2) name##2 { type x, y; };                                                              \
  struct alignas(align4) name##4 { type x, y, z, w; };                                                        \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; }                                            \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
SYMGRAPH_VECTORS(signed char, char, 2, 4)
SYMGRAPH_VECTORS(unsigned char, uchar, 2, 4)
SYMGRAPH_VECTORS(short, short, 4, 8)
SYMGRAPH_VECTORS(unsigned short, ushort, 4, 8)
SYMGRAPH_VECTORS(int, int, 8, 16)
SYMGRAPH_VECTORS(unsigned, uint, 8, 16)
SYMGRAPH_VECTORS(long long, longlong, 16, 16)
SYMGRAPH_VECTORS(unsigned long long, ulonglong, 16, 16)
SYMGRAPH_VECTORS(float, float, 8, 16)
SYMGRAPH_VECTORS(double, double, 16, 16)

// ---- Barriers and warp operations

inline void __syncthreads(SYMGRAPH_LINE) { symgraph_block_barrier(symgraph_emulation::Vote::none, 0, line); }
inline int __syncthreads_or(int p, SYMGRAPH_LINE) {
  return symgraph_block_barrier(symgraph_emulation::Vote::either, p, line);
}
inline int __syncthreads_and(int p, SYMGRAPH_LINE) {
  return symgraph_block_barrier(symgraph_emulation::Vote::all, p, line);
}
inline int __syncthreads_count(int p, SYMGRAPH_LINE) {
  return symgraph_block_barrier(symgraph_emulation::Vote::count, p, line);
}
inline void __syncwarp(unsigned mask = 0xffffffffu, SYMGRAPH_LINE) {
  symgraph_warp_exchange("__syncwarp", mask, &mask, sizeof mask, line);
}
#if defined(__SANITIZE_THREAD__)
inline void __threadfence() { symgraph_fence(); }
#else
inline void __threadfence() {}
#endif
inline void __threadfence_block() {}
inline void __threadfence_system() { __threadfence(); }
inline unsigned __activemask() { return symgraph_live_lanes(); }

namespace symgraph_emulation {
// The value of a lane of the segment of `width` lanes that the caller belongs to; its own where there is no such lane.
template <class T>
T shuffle(const char *what, unsigned mask, T value, int source, bool outside, int line) {
  static_assert(std::is_arithmetic<T>::value, "shuffles take numbers of at most 64 bits");
  symgraph_warp_exchange(what, mask, &value, sizeof value, line);
  if (outside) return value;
  T received;
  symgraph_warp_value(static_cast<unsigned>(source), &received, sizeof received);
  return received;
}
inline int first_of(int width) { return static_cast<int>(symgraph_lane()) / width * width; }
}  // namespace symgraph_emulation

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, SYMGRAPH_LINE) {
  const int lane = symgraph_emulation::first_of(width) + (source & (width - 1));
  return symgraph_emulation::shuffle("__shfl_sync", mask, value, lane, false, line);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, SYMGRAPH_LINE) {
  const int lane = static_cast<int>(symgraph_lane()) - static_cast<int>(delta);
  return symgraph_emulation::shuffle("__shfl_up_sync", mask, value, lane,
                                     lane < symgraph_emulation::first_of(width), line);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, SYMGRAPH_LINE) {
  const int lane = static_cast<int>(symgraph_lane()) + static_cast<int>(delta);
  return symgraph_emulation::shuffle("__shfl_down_sync", mask, value, lane,
                                     lane >= symgraph_emulation::first_of(width) + width, line);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, SYMGRAPH_LINE) {
  const int lane = static_cast<int>(symgraph_lane()) ^ lanes;
  return symgraph_emulation::shuffle("__shfl_xor_sync", mask, value, lane,
                                     lane >= symgraph_emulation::first_of(width) + width, line);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, SYMGRAPH_LINE) {
  unsigned char own = predicate != 0, other;
  symgraph_warp_exchange("__ballot_sync", mask, &own, 1, line);
  unsigned lanes = 0;
  for (unsigned i = 0; i < 32; i++) {
    if (!(mask >> i & 1)) continue;
    symgraph_warp_value(i, &other, 1);
    lanes |= static_cast<unsigned>(other) << i;
  }
  return lanes;
}
inline int __any_sync(unsigned mask, int predicate, SYMGRAPH_LINE) {
  return __ballot_sync(mask, predicate, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, SYMGRAPH_LINE) {
  return __ballot_sync(mask, predicate, line) == mask;
}

// ---- Atomic operations: no thread is interrupted within one

#if defined(__SANITIZE_THREAD__)
#define SYMGRAPH_ATOMIC __attribute__((no_sanitize_thread, noinline))
#define SYMGRAPH_TELL(place) symgraph_atomic(place, sizeof *(place))
#else
#define SYMGRAPH_ATOMIC inline
#define SYMGRAPH_TELL(place)
#endif
#define SYMGRAPH_ATOMICS(name, expression)                                                                    \
  template <class T>                                                                                          \
  SYMGRAPH_ATOMIC T name(T *place, typename std::common_type<T>::type value) {                                \
    SYMGRAPH_TELL(place);                                                                                     \
    const T old = *place;                                                                                     \
    *place = (expression);                                                                                    \
    return old;                                                                                               \
  }
SYMGRAPH_ATOMICS(atomicAdd, static_cast<T>(old + value))
SYMGRAPH_ATOMICS(atomicSub, static_cast<T>(old - value))
SYMGRAPH_ATOMICS(atomicExch, value)
SYMGRAPH_ATOMICS(atomicMin, value < old ? value : old)
SYMGRAPH_ATOMICS(atomicMax, old < value ? value : old)
SYMGRAPH_ATOMICS(atomicAnd, static_cast<T>(old & value))
SYMGRAPH_ATOMICS(atomicOr, static_cast<T>(old | value))
SYMGRAPH_ATOMICS(atomicXor, static_cast<T>(old ^ value))
SYMGRAPH_ATOMICS(atomicInc, old >= value ? 0 : old + 1)
SYMGRAPH_ATOMICS(atomicDec, old == 0 || old > value ? value : old - 1)
template <class T>
SYMGRAPH_ATOMIC T atomicCAS(T *place, typename std::common_type<T>::type compare,
                            typename std::common_type<T>::type value) {
  SYMGRAPH_TELL(place);
  const T old = *place;
  if (old == compare) *place = value;
  return old;
}

// ---- Numbers

namespace symgraph_emulation {
template <class To, class From>
To bits(From value) {
  static_assert(sizeof(To) == sizeof(From), "the same bits");
  To result;
  memcpy(&result, &value, sizeof result);
  return result;
}
}  // namespace symgraph_emulation
inline float __int_as_float(int x) { return symgraph_emulation::bits<float>(x); }
inline int __float_as_int(float x) { return symgraph_emulation::bits<int>(x); }
inline float __uint_as_float(unsigned x) { return symgraph_emulation::bits<float>(x); }
inline unsigned __float_as_uint(float x) { return symgraph_emulation::bits<unsigned>(x); }
inline double __longlong_as_double(long long x) { return symgraph_emulation::bits<double>(x); }
inline long long __double_as_longlong(double x) { return symgraph_emulation::bits<long long>(x); }
inline double __hiloint2double(int high, int low) {
  return __longlong_as_double(static_cast<long long>(static_cast<unsigned long long>(static_cast<unsigned>(high)) << 32
                                                     | static_cast<unsigned>(low)));
}
inline int __mulhi(int a, int b) { return static_cast<int>(static_cast<long long>(a) * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32);
}
inline long long __mul64hi(long long a, long long b) {
  return static_cast<long long>(static_cast<__int128>(a) * b >> 64);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll(static_cast<unsigned long long>(x)) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
  unsigned result = 0;
  for (int i = 0; i < 32; i++) result |= (x >> i & 1u) << (31 - i);
  return result;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return shift & 31 ? high << (shift & 31) | low >> (32 - (shift & 31)) : high;
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return shift & 31 ? low >> (shift & 31) | high << (32 - (shift & 31)) : low;
}
inline int __float2int_rn(float x) { return static_cast<int>(nearbyintf(x)); }
inline int __float2int_rz(float x) { return static_cast<int>(x); }
inline int __float2int_rd(float x) { return static_cast<int>(floorf(x)); }
inline int __double2int_rn(double x) { return static_cast<int>(nearbyint(x)); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline double rcbrt(double x) { return 1.0 / cbrt(x); }
inline float rcbrtf(float x) { return 1.0f / cbrtf(x); }
inline double sinpi(double x) { return sin(3.14159265358979323846 * fmod(x, 2.0)); }
inline float sinpif(float x) { return static_cast<float>(sinpi(x)); }
inline double cospi(double x) { return cos(3.14159265358979323846 * fmod(x, 2.0)); }
inline float cospif(float x) { return static_cast<float>(cospi(x)); }
inline double erfcx(double x) {  // the quotient loses nothing until exp or erfc leave their range
  if (x < 25.0) return exp(x * x) * erfc(x);
  const double r = 1.0 / (x * x);  // DLMF 7.12.1
  return 0.56418958354775628695 / x * (1.0 - 0.5 * r * (1.0 - 1.5 * r * (1.0 - 2.5 * r)));
}
inline float erfcxf(float x) { return static_cast<float>(erfcx(x)); }

inline double normcdf(double x) { return 0.5 * erfc(-0.70710678118654752440 * x); }
inline float normcdff(float x) { return static_cast<float>(normcdf(x)); }
inline double erfinv(double x) { return symgraph_erfinv(x); }
inline float erfinvf(float x) { return static_cast<float>(symgraph_erfinv(x)); }
inline double normcdfinv(double p) { return 1.41421356237309504880 * symgraph_erfinv(2.0 * p - 1.0); }
inline float normcdfinvf(float p) { return static_cast<float>(normcdfinv(p)); }

#define SYMGRAPH_LEAST(type)                                                                                  \
  inline type min(type a, type b) { return b < a ? b : a; }                                                   \
  inline type max(type a, type b) { return a < b ? b : a; }
SYMGRAPH_LEAST(int)
SYMGRAPH_LEAST(unsigned)
SYMGRAPH_LEAST(long)
SYMGRAPH_LEAST(unsigned long)
SYMGRAPH_LEAST(long long)
SYMGRAPH_LEAST(unsigned long long)
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

template <class T>
const T &__ldg(const T *place) { return *place; }
template <class T>
const T &__ldcg(const T *place) { return *place; }
template <class T>
const T &__ldcs(const T *place) { return *place; }
template <class T>
void __stcs(T *place, T value) { *place = value; }

// ---- Launching: what is not part of a kernel is not looked at

#define SYMGRAPH_UNCHECKED __attribute__((no_sanitize_thread))

extern "C" {
extern char __start_symgraph_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_symgraph_shared[] __attribute__((weak, visibility("hidden")));
extern char __ehdr_start[] __attribute__((visibility("hidden")));
extern char _end[] __attribute__((visibility("hidden")));
}

namespace symgraph_emulation {

template <class... A>
struct Call {
  void (*kernel)(A...);
  void **arguments;
  template <size_t... I>
  SYMGRAPH_UNCHECKED void run(std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_const_t<A> *>(arguments[I])...);
  }
  SYMGRAPH_UNCHECKED static void body(void *self) { static_cast<Call *>(self)->run(std::index_sequence_for<A...>()); }
};

template <class... A>
SYMGRAPH_UNCHECKED const char *launch(void (*kernel)(A...), void **arguments, const Launch *how) {
  Call<A...> call{kernel, arguments};
  const Ranges ranges{__start_symgraph_shared, __stop_symgraph_shared, nullptr, nullptr, __ehdr_start, _end};
  return symgraph_launch(how, Call<A...>::body, &call, &ranges);
}

// The sizes of a kernel's parameters; their number is returned.
template <class... A>
SYMGRAPH_UNCHECKED int parameters(void (*)(A...), size_t *sizes, int room) {
  const size_t all[] = {sizeof(A)..., 0};
  for (int i = 0; i < room && i < static_cast<int>(sizeof...(A)); i++) sizes[i] = all[i];
  return sizeof...(A);
}

}  // namespace symgraph_emulation

#define SYMGRAPH_EXPORT(kernel)                                                                               \
  extern "C" __attribute__((visibility("default"))) SYMGRAPH_UNCHECKED const char *symgraph_launch_##kernel(                     \
      void **arguments, const symgraph_emulation::Launch *how) {                                              \
    return symgraph_emulation::launch(kernel, arguments, how);                                                \
  }                                                                                                           \
  extern "C" __attribute__((visibility("default"))) SYMGRAPH_UNCHECKED int symgraph_parameters_##kernel(size_t *sizes, int n) {  \
    return symgraph_emulation::parameters(kernel, sizes, n);                                                  \
  }
