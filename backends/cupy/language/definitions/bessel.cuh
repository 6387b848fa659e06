// Bessel functions of real order, in double; single and half are computed in it. Where no expansion holds, J of an
// order or an argument beyond 100,000 is not computed: it is NaN.

static __device__ inline double sg_power_ratio(double v, double half) {  // half**v / gamma(v + 1)
  if (v < 100 && v > -100) return pow(half, v) / sg_gamma(v + 1);
  double sign = v > -1 || fmod(floor(v), 2.0) != 0 ? 1 : -1;
  return sign * exp(v * log(half) - lgamma(v + 1));
}

static __device__ inline double sg_bessel_series(double v, double x, double sign) {  // DLMF 10.2.2 and 10.25.2
  double square = sign * 0.25 * x * x, term = 1, sum = 1;
  for (int k = 1; k < 2000; k++) {
    term *= square / (k * (v + k));
    sum += term;
    if (fabs(term) < 1e-18 * fabs(sum) && k + v > 0) break;
  }
  return sum * sg_power_ratio(v, 0.5 * x);
}

static __device__ inline double sg_iv_size(double v, double x) {  // for x > 0
  if (sg_isinf(x)) return x;
  double square = 4 * v * v;
  if (!(x > 30 && 2 * x > square)) return sg_bessel_series(v, x, 1);
  double term = 1, sum = 1;  // DLMF 10.40.1
  for (int k = 1; k < 200 && fabs(term) > 1e-18; k++) {
    double next = term * -(square - (2 * k - 1.0) * (2 * k - 1.0)) / (8 * k * x);
    if (fabs(next) > fabs(term)) break;
    sum += term = next;
  }
  double root = exp(0.5 * x);  // exp(x) may overflow where the result does not
  return root * (root * (sum / sqrt(6.28318530717958647693 * x)));
}

static __device__ inline double sg_iv(double v, double x) {
  if (v != v || x != x) return sg_nan<double>();
  bool whole = v == floor(v);
  if (whole) v = fabs(v);
  if (x == 0) return v == 0 ? 1 : v > 0 ? 0 : sg_inf<double>();
  if (x > 0) return sg_iv_size(v, x);
  return whole ? (fmod(v, 2.0) == 0 ? 1 : -1) * sg_iv_size(v, -x) : sg_nan<double>();
}

static __device__ inline double sg_i0(double x) { return x == 0 ? 1 : sg_iv_size(0, fabs(x)) + (x - x); }

static __device__ inline double sg_i1(double x) { return x == 0 ? x : sg_copysign(sg_iv_size(1, fabs(x)), x); }

static __device__ inline double sg_jv_far(double v, double x) {  // DLMF 10.17.3
  double square = 4 * v * v, term = 1, even = 1, odd = 0;
  for (int k = 1; k < 200; k++) {
    double next = term * (square - (2 * k - 1.0) * (2 * k - 1.0)) / (8 * k * x);
    if (fabs(next) > fabs(term) || fabs(next) < 1e-18) break;
    term = next;
    double signed_term = k % 4 < 2 ? term : -term;
    if (k & 1) odd += signed_term;
    else even += k % 4 == 0 ? term : -term;
  }
  // cos and sin of x - (v / 2 + 1 / 4) pi, the two angles being reduced apart
  double turn = fmod(0.5 * v + 0.25, 2.0) * 3.14159265358979323846;
  double cx = cos(x), sx = sin(x), ct = cos(turn), st = sin(turn);
  return sqrt(0.636619772367581343076 / x) * ((cx * ct + sx * st) * even - (sx * ct - cx * st) * odd);
}

static __device__ inline double sg_jv_near(double v, double x) {
  // J. Miller's recurrence from far above, where J vanishes, down to order v; scaled by the sum
  // (x / 2)**f = sum over k of (f + 2 k) gamma(f + k) / k! * J[f + 2 k](x), f being the fraction of v (DLMF 10.23.15).
  double whole = floor(v), f = v - whole, top = v > x ? v : x;
  int n = (int)whole, first = 2 * (int)(0.5 * (top + 20 + 6 * cbrt(top) + 2 * sqrt(top)));
  int k = first / 2;
  double weight = f == 0 ? 1 : exp(lgamma(f + k) - lgamma(k + 1.0));  // gamma(f + k) / k!; for f = 0 it is 1 / k
  double above = 0, here = 1e-300, sum = 0, found = 0;
  for (int m = first; m >= (n < 0 ? n : 0); m--) {
    if (m >= 0 && m % 2 == 0) {
      if (f == 0) sum += (m == 0 ? 1 : 2) * here;
      else {
        sum += (f + m) * weight * here;
        if (k > 0) weight *= k / (f + k - 1);
        k--;
      }
    }
    if (m == n) found = here;
    double below = 2 * (m + f) / x * here - above;
    above = here;
    here = below;
    if (fabs(here) > 1e200) { here *= 1e-200; above *= 1e-200; sum *= 1e-200; found *= 1e-200; }
  }
  return found / sum * (f == 0 ? 1 : pow(0.5 * x, f));
}

static __device__ inline double sg_jv(double v, double x) {
  if (v != v || x != x) return sg_nan<double>();
  double sign = 1;
  bool whole = v == floor(v);
  if (whole && v < 0) {
    sign = fmod(v, 2.0) == 0 ? 1 : -1;
    v = -v;
  }
  if (x < 0) {
    if (!whole) return sg_nan<double>();
    if (fmod(v, 2.0) != 0) sign = -sign;
    x = -x;
  }
  if (x == 0) return v == 0 ? 1 : v > 0 ? 0 : sg_inf<double>();
  if (sg_isinf(x)) return 0;
  if (x * x < 4 * fabs(v + 1) || x < 1e-3) return sign * sg_bessel_series(v, x, -1);
  if (x > 25 && 2 * x > v * v) return sign * sg_jv_far(v, x);
  return x > 1e5 || fabs(v) > 1e5 ? sg_nan<double>() : sign * sg_jv_near(v, x);
}

static __device__ inline double sg_spherical_jn(double n, double x) {  // DLMF 10.47.3 and 10.51.1
  if (x != x || n < 0) return sg_nan<double>();
  if (sg_isinf(x)) return 0;
  if (x == 0) return n == 0 ? 1 : 0;
  double sign = x < 0 && fmod(n, 2.0) != 0 ? -1 : 1;
  x = fabs(x);
  if (n > 0 && n >= x) return sign * sqrt(1.57079632679489661923 / x) * sg_jv(n + 0.5, x);
  double before = cos(x) / x, here = sin(x) / x;
  for (int k = 0; k < (int)n; k++) {
    double next = (2 * k + 1) / x * here - before;
    before = here;
    here = next;
  }
  return sign * here;
}
