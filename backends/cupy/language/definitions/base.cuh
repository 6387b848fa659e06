// Numbers: bits, half precision, integers, and what NumPy's arithmetic means. Definitions are parted by empty lines, so
// that a kernel takes along only those it needs.

static __device__ inline float sg_float_of(unsigned int bits) {
  union { unsigned int bits; float value; } both;
  both.bits = bits;
  return both.value;
}

static __device__ inline double sg_double_of(unsigned long long bits) {
  union { unsigned long long bits; double value; } both;
  both.bits = bits;
  return both.value;
}

static __device__ inline unsigned int sg_bits_of(float value) {
  union { unsigned int bits; float value; } both;
  both.value = value;
  return both.bits;
}

static __device__ inline unsigned long long sg_bits_of(double value) {
  union { unsigned long long bits; double value; } both;
  both.value = value;
  return both.bits;
}

template <class T> static __device__ inline T sg_nan();
template <> __device__ inline float sg_nan<float>() { return sg_float_of(0x7fc00000u); }
template <> __device__ inline double sg_nan<double>() { return sg_double_of(0x7ff8000000000000ull); }

template <class T> static __device__ inline T sg_inf();
template <> __device__ inline float sg_inf<float>() { return sg_float_of(0x7f800000u); }
template <> __device__ inline double sg_inf<double>() { return sg_double_of(0x7ff0000000000000ull); }

template <class T> static __device__ inline bool sg_isnan(T x) { return x != x; }

template <class T> static __device__ inline bool sg_isinf(T x) { return x == sg_inf<T>() || x == -sg_inf<T>(); }

template <class T> static __device__ inline bool sg_isfinite(T x) { return x - x == T(0); }

static __device__ inline bool sg_signbit(float x) { return sg_bits_of(x) >> 31; }
static __device__ inline bool sg_signbit(double x) { return sg_bits_of(x) >> 63; }

// ---- half precision: stored in 16 bits, computed in single

struct sg_half { unsigned short bits; };

#if defined(__NVCC__) || defined(__CUDACC_RTC__)
static __device__ inline float sg_float(sg_half h) {
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(h.bits));
  return x;
}
#else
static __device__ inline float sg_float(sg_half h) {
  unsigned int sign = (h.bits & 0x8000u) << 16, rest = h.bits & 0x7fffu;
  if (rest >= 0x7c00u) return sg_float_of(sign | 0x7f800000u | rest << 13);  // infinite or no number
  float size = rest < 0x400u ? (float)rest * 0x1p-24f : sg_float_of((rest << 13) + 0x38000000u);
  return sign ? -size : size;
}
#endif

#if defined(__NVCC__) || defined(__CUDACC_RTC__)
static __device__ inline sg_half sg_to_half(float x) {
  sg_half h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h.bits) : "f"(x));
  return h;
}
static __device__ inline sg_half sg_to_half(double x) {
  sg_half h;
  asm("cvt.rn.f16.f64 %0, %1;" : "=h"(h.bits) : "d"(x));
  return h;
}
#else
static __device__ inline sg_half sg_to_half(float x) {
  unsigned int bits = sg_bits_of(x), sign = bits >> 16 & 0x8000u, rest = bits & 0x7fffffffu, half;
  if (rest > 0x7f800000u) half = 0x7e00u;
  else if (rest >= 0x477ff000u) half = 0x7c00u;
  else if (rest < 0x38800000u) half = sg_bits_of(sg_float_of(rest) + 0.5f) - 0x3f000000u;  // in units of 2**-24
  else half = (rest + 0xfffu + (rest >> 13 & 1u) - 0x38000000u) >> 13;
  sg_half h;
  h.bits = (unsigned short)(sign | half);
  return h;
}
static __device__ inline sg_half sg_to_half(double x) {
  float near = (float)x;  // rounded to odd, so that to round once more is as good as to round once
  if (near - near == 0 && (double)near != x) {
    unsigned int bits = sg_bits_of(near);
    if (fabs((double)near) > fabs(x)) bits -= 1;
    near = sg_float_of(bits | 1u);
  }
  return sg_to_half(near);
}
#endif

static __device__ inline sg_half sg_hnextafter(sg_half a, sg_half b) {
  float x = sg_float(a), y = sg_float(b);
  if (x != x || y != y) return sg_to_half(x + y);
  if (x == y) return a;
  if (x == 0) { a.bits = y > 0 ? 0x0001 : 0x8001; return a; }
  a.bits = (unsigned short)(a.bits + ((x > 0) == (x < y) ? 1 : -1));
  return a;
}

static __device__ inline sg_half sg_hspacing(sg_half a) {  // of a negative number, that to the next towards zero
  sg_half top;
  top.bits = 0x7c00;
  if ((a.bits & 0x7c00) == 0x7c00) { top.bits = 0x7e00; return top; }
  return sg_to_half(sg_float(sg_hnextafter(a, top)) - sg_float(a));
}

static __device__ inline float sg_spacing(float x) {
  float end = sg_signbit(x) && x != 0 ? -sg_inf<float>() : sg_inf<float>();
  return sg_isinf(x) ? sg_nan<float>() : nextafterf(x, end) - x;
}
static __device__ inline double sg_spacing(double x) {
  double end = sg_signbit(x) && x != 0 ? -sg_inf<double>() : sg_inf<double>();
  return sg_isinf(x) ? sg_nan<double>() : nextafter(x, end) - x;
}

// ---- integers: where C leaves open or traps what NumPy defines

template <class T, class U> static __device__ inline T sg_int_div(T a, T b) {
  if (b == T(0)) return T(0);
  if (T(-1) < T(0) && b == T(-1)) return T(U(0) - U(a));
  T whole = a / b;
  return a % b != T(0) && (a < T(0)) != (b < T(0)) ? T(whole - T(1)) : whole;
}

template <class T> static __device__ inline T sg_int_mod(T a, T b) {
  if (b == T(0) || (T(-1) < T(0) && b == T(-1))) return T(0);
  T rest = a % b;
  return rest != T(0) && (a < T(0)) != (b < T(0)) ? T(rest + b) : rest;
}

template <class T> static __device__ inline T sg_int_fmod(T a, T b) {
  return b == T(0) || (T(-1) < T(0) && b == T(-1)) ? T(0) : T(a % b);
}

template <class T, class U> static __device__ inline T sg_int_pow(T base, T exponent) {
  if (exponent < T(0)) return base == T(1) ? T(1) : base == T(-1) ? (exponent & T(1) ? T(-1) : T(1)) : T(0);
  U result = U(1), factor = U(base);
  for (unsigned long long left = (unsigned long long)exponent; left; left >>= 1) {
    if (left & 1) result *= factor;
    factor *= factor;
  }
  return T(result);
}

template <class T, class U> static __device__ inline T sg_left_shift(T a, T b) {
  return b >= T(0) && b < T(8 * sizeof(T)) ? T(U(a) << b) : T(0);
}

template <class T> static __device__ inline T sg_right_shift(T a, T b) {
  return b >= T(0) && b < T(8 * sizeof(T)) ? T(a >> b) : a < T(0) ? T(-1) : T(0);
}

template <class T, class U> static __device__ inline U sg_size(T a) { return a < T(0) ? U(U(0) - U(a)) : U(a); }

template <class U> static __device__ inline U sg_common_divisor(U x, U y) {
  while (x != U(0)) {
    U rest = y % x;
    y = x;
    x = rest;
  }
  return y;
}

template <class T, class U> static __device__ inline T sg_gcd(T a, T b) {
  return T(sg_common_divisor(sg_size<T, U>(a), sg_size<T, U>(b)));
}

template <class T, class U> static __device__ inline T sg_lcm(T a, T b) {
  U x = sg_size<T, U>(a), y = sg_size<T, U>(b), common = sg_common_divisor(x, y);
  return common == U(0) ? T(0) : T(x / common * y);
}

static __device__ inline unsigned char sg_bitwise_count(unsigned long long x) {
  x = x - (x >> 1 & 0x5555555555555555ull);
  x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
  x = x + (x >> 4) & 0x0f0f0f0f0f0f0f0full;
  return (unsigned char)(x * 0x0101010101010101ull >> 56);
}

static __device__ inline bool sg_less(long long a, unsigned long long b) { return a < 0 || (unsigned long long)a < b; }
static __device__ inline bool sg_less(unsigned long long a, long long b) { return b > 0 && a < (unsigned long long)b; }

static __device__ inline bool sg_equal(long long a, unsigned long long b) {
  return a >= 0 && (unsigned long long)a == b;
}
static __device__ inline bool sg_equal(unsigned long long a, long long b) { return sg_equal(b, a); }

// ---- real arithmetic

template <class T> static __device__ inline T sg_maximum(T a, T b) { return a > b || a != a ? a : b; }

static __device__ inline sg_half sg_hmaximum(sg_half a, sg_half b) {
  float x = sg_float(a), y = sg_float(b);
  return x >= y || x != x ? a : b;
}

template <class T> static __device__ inline T sg_minimum(T a, T b) { return a < b || a != a ? a : b; }

static __device__ inline sg_half sg_hminimum(sg_half a, sg_half b) {
  float x = sg_float(a), y = sg_float(b);
  return x <= y || x != x ? a : b;
}

template <class T> static __device__ inline T sg_sgn(T x) {
  return x > T(0) ? T(1) : x < T(0) ? T(-1) : x == T(0) ? T(0) : x;
}

template <class T> static __device__ inline T sg_mod(T a, T b) {
  T rest = sg_fmod(a, b);
  if (b == T(0)) return rest;
  if (rest == T(0)) return sg_copysign(T(0), b);
  return (b < T(0)) != (rest < T(0)) ? rest + b : rest;
}

template <class T> static __device__ inline T sg_floor_div(T a, T b) {
  if (b == T(0)) return a / b;
  T rest = sg_fmod(a, b), quotient = (a - rest) / b;  // a multiple of b, so that the quotient is whole up to rounding
  if (rest != T(0) && (b < T(0)) != (rest < T(0))) quotient -= T(1);
  if (quotient == T(0)) return sg_copysign(T(0), a / b);
  T whole = sg_floor(quotient);
  return quotient - whole > T(0.5) ? whole + T(1) : whole;
}

template <class T> static __device__ inline T sg_round_away(T x) {
  T whole = sg_trunc(x), rest = sg_isinf(x) ? T(0) : x - whole;
  return sg_fabs(rest) >= T(0.5) ? whole + sg_copysign(T(1), x) : whole + sg_copysign(T(0), x);
}

template <class T> static __device__ inline T sg_heaviside(T x, T middle) {
  return x != x ? x : x == T(0) ? middle : x < T(0) ? T(0) : T(1);
}

static __device__ inline int sg_exponent(long long n) { return n < -9999 ? -9999 : n > 9999 ? 9999 : (int)n; }

template <class T> static __device__ inline T sg_logaddexp(T x, T y) {
  if (x == y) return x + T(0.693147180559945309417);
  T rest = x - y;
  return rest > T(0) ? x + sg_log1p(sg_exp(-rest)) : rest <= T(0) ? y + sg_log1p(sg_exp(rest)) : rest;
}

template <class T> static __device__ inline T sg_sigmoid(T x) {
  T small = sg_exp(x < T(0) ? x : -x);
  return x < T(0) ? small / (T(1) + small) : T(1) / (T(1) + small);
}

template <class T> static __device__ inline T sg_softplus(T x) {
  return sg_maximum(x, T(0)) + sg_log1p(sg_exp(-sg_fabs(x)));
}

template <class T> static __device__ inline T sg_xlogy(T x, T y) {
  return x == T(0) && y == y ? T(0) : x * sg_log(y);
}

template <class T> static __device__ inline T sg_log1mexp(T x) {  // on either side of -log(2), what loses nothing
  return x > T(-0.693147180559945309417) ? sg_log(-sg_expm1(x)) : sg_log1p(-sg_exp(x));
}

template <class T> static __device__ inline T sg_logit(T x) {
  T twice = T(2) * (x - T(0.5));
  return x < T(0.3) || x > T(0.65) || x != x ? sg_log(x / (T(1) - x)) : sg_log1p(twice) - sg_log1p(-twice);
}

template <class T> static __device__ inline T sg_sinc(T x) {
  T angle = T(3.14159265358979323846) * (x == T(0) ? T(1e-20) : x);
  return sg_sin(angle) / angle;
}

template <class T> static __device__ inline T sg_gammaln(T x) {
  return x == -sg_inf<T>() ? x : sg_lgamma(x);
}

template <class T> static __device__ inline T sg_gamma(T x) {
  return x < T(0) && x == sg_floor(x) ? sg_nan<T>() : sg_tgamma(x);
}
