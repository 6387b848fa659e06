// Complex numbers; their functions have a z in front. Arithmetic is done in the parts' own precision; functions of
// complex64 are computed in double, which spares them the care that cancellation asks for, and rounded once.

template <class T> struct alignas(2 * sizeof(T)) sg_complex { T re, im; };

template <class T> static __device__ inline sg_complex<T> sg_pair(T re, T im) {
  sg_complex<T> z;
  z.re = re;
  z.im = im;
  return z;
}

template <class T, class S> static __device__ inline sg_complex<T> sg_convert(sg_complex<S> z) {
  return sg_pair(T(z.re), T(z.im));
}

template <class T> static __device__ inline sg_complex<T> sg_zadd(sg_complex<T> a, sg_complex<T> b) {
  return sg_pair(a.re + b.re, a.im + b.im);
}

template <class T> static __device__ inline sg_complex<T> sg_zsub(sg_complex<T> a, sg_complex<T> b) {
  return sg_pair(a.re - b.re, a.im - b.im);
}

template <class T> static __device__ inline sg_complex<T> sg_zmul(sg_complex<T> a, sg_complex<T> b) {
  return sg_pair(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re);
}

template <class T> static __device__ inline sg_complex<T> sg_zdiv(sg_complex<T> a, sg_complex<T> b) {
  T re = sg_fabs(b.re), im = sg_fabs(b.im);  // R. Smith, Algorithm 116, CACM 5 (1962): no part overflows needlessly
  if (re >= im) {
    if (re == T(0) && im == T(0)) return sg_pair(a.re / re, a.im / re);
    T ratio = b.im / b.re, scale = T(1) / (b.re + b.im * ratio);
    return sg_pair((a.re + a.im * ratio) * scale, (a.im - a.re * ratio) * scale);
  }
  T ratio = b.re / b.im, scale = T(1) / (b.im + b.re * ratio);
  return sg_pair((a.re * ratio + a.im) * scale, (a.im * ratio - a.re) * scale);
}

template <class T> static __device__ inline sg_complex<T> sg_zneg(sg_complex<T> z) { return sg_pair(-z.re, -z.im); }

template <class T> static __device__ inline sg_complex<T> sg_zconj(sg_complex<T> z) { return sg_pair(z.re, -z.im); }

template <class T> static __device__ inline sg_complex<T> sg_zsqr(sg_complex<T> z) {
  return sg_pair(z.re * z.re - z.im * z.im, z.re * z.im + z.im * z.re);
}

template <class T> static __device__ inline T sg_zabs(sg_complex<T> z) { return sg_hypot(z.re, z.im); }

template <class T> static __device__ inline sg_complex<T> sg_zsgn(sg_complex<T> z) {
  T size = sg_zabs(z);
  if (size == T(0)) return sg_pair(T(0), T(0));
  if (sg_isinf(size)) {
    if (sg_isinf(z.re) && !sg_isinf(z.im) && z.im == z.im) return sg_pair(sg_copysign(T(1), z.re), T(0));
    if (sg_isinf(z.im) && !sg_isinf(z.re) && z.re == z.re) return sg_pair(T(0), sg_copysign(T(1), z.im));
    return sg_pair(sg_nan<T>(), sg_nan<T>());
  }
  return sg_pair(z.re / size, z.im / size);
}

template <class T> static __device__ inline sg_complex<T> sg_zrint(sg_complex<T> z) {
  return sg_pair(sg_rint(z.re), sg_rint(z.im));
}

// ---- order: by the real parts, then the imaginary ones, as NumPy's

template <class T> static __device__ inline bool sg_zisnan(sg_complex<T> z) { return z.re != z.re || z.im != z.im; }

template <class T> static __device__ inline bool sg_zequal(sg_complex<T> a, sg_complex<T> b) {
  return a.re == b.re && a.im == b.im;
}

template <class T> static __device__ inline bool sg_zless(sg_complex<T> a, sg_complex<T> b) {
  return (a.re < b.re && a.im == a.im && b.im == b.im) || (a.re == b.re && a.im < b.im);
}

template <class T> static __device__ inline bool sg_zat_most(sg_complex<T> a, sg_complex<T> b) {
  return (a.re < b.re && a.im == a.im && b.im == b.im) || (a.re == b.re && a.im <= b.im);
}

template <class T> static __device__ inline sg_complex<T> sg_zmaximum(sg_complex<T> a, sg_complex<T> b) {
  return sg_zisnan(a) || sg_zat_most(b, a) ? a : b;
}

template <class T> static __device__ inline sg_complex<T> sg_zminimum(sg_complex<T> a, sg_complex<T> b) {
  return sg_zisnan(a) || sg_zat_most(a, b) ? a : b;
}

// ---- functions

static __device__ inline double sg_with_zero(double factor, double size) {  // factor * size, 0 * inf being 0
  return factor == 0 && size == size ? factor : factor * size;
}

static __device__ inline sg_complex<double> sg_zexp(sg_complex<double> z) {
  if (z.im == 0) return sg_pair(exp(z.re), z.im);
  if (!sg_isfinite(z.im)) {
    if (z.re == -sg_inf<double>()) return sg_pair(0.0, 0.0);
    return sg_pair(z.re == sg_inf<double>() ? z.re : sg_nan<double>(), sg_nan<double>());
  }
  double c = cos(z.im), s = sin(z.im);
  if (z.re > 700 && z.re < 1500) {  // its size may overflow where the parts do not
    double part = exp(z.re - 700), rest = exp(700.0);
    return sg_pair(c * rest * part, s * rest * part);
  }
  double size = exp(z.re);
  return sg_pair(c * size, s * size);
}

static __device__ inline sg_complex<double> sg_zexp2(sg_complex<double> z) {
  return sg_zexp(sg_pair(z.re * 0.693147180559945309417, z.im * 0.693147180559945309417));
}

static __device__ inline sg_complex<double> sg_zexpm1(sg_complex<double> z) {
  double half = sin(z.im / 2);
  return sg_pair(expm1(z.re) * cos(z.im) - 2 * half * half, sg_with_zero(sin(z.im), exp(z.re)));
}

static __device__ inline double sg_log_abs(double x, double y) {
  double a = fabs(x), b = fabs(y), size = hypot(x, y);
  if (a < b) { double other = a; a = b; b = other; }
  if (!(size > 0.5 && size < 2)) return log(size);
  // log1p((a - 1) (a + 1) + b b) / 2, both products and their sum with the error of rounding them
  double less = a - 1, more = a + 1, more_error = 1 - (more - a);
  if (a < 1) more_error = a - (more - 1);
  double p = less * more, p_error = fma(less, more, -p) + less * more_error;
  double q = b * b, q_error = fma(b, b, -q), sum = p + q, back = sum - p;
  double sum_error = (p - (sum - back)) + (q - back);
  return 0.5 * log1p(sum + (sum_error + (p_error + q_error)));
}

static __device__ inline sg_complex<double> sg_zlog(sg_complex<double> z) {
  return sg_pair(sg_log_abs(z.re, z.im), atan2(z.im, z.re));
}

static __device__ inline sg_complex<double> sg_zlog2(sg_complex<double> z) {
  sg_complex<double> w = sg_zlog(z);
  return sg_pair(w.re * 1.442695040888963407360, w.im * 1.442695040888963407360);
}

static __device__ inline sg_complex<double> sg_zlog10(sg_complex<double> z) {
  sg_complex<double> w = sg_zlog(z);
  return sg_pair(w.re * 0.434294481903251827651, w.im * 0.434294481903251827651);
}

static __device__ inline sg_complex<double> sg_zlog1p(sg_complex<double> z) {
  double re = fabs(z.re) < 0.5 && fabs(z.im) < 0.5 ? 0.5 * log1p(z.re * (2 + z.re) + z.im * z.im)
                                                   : log(hypot(1 + z.re, z.im));
  return sg_pair(re, atan2(z.im, 1 + z.re));
}

static __device__ inline sg_complex<double> sg_zsqrt(sg_complex<double> z) {
  if (z.re == 0 && z.im == 0) return sg_pair(0.0, z.im);
  if (sg_isinf(z.im)) return sg_pair(sg_inf<double>(), z.im);
  if (sg_isinf(z.re)) {
    double rest = z.im == z.im ? 0.0 : z.im;
    return z.re > 0 ? sg_pair(z.re, sg_copysign(rest, z.im)) : sg_pair(fabs(rest), sg_copysign(-z.re, z.im));
  }
  double a = fabs(z.re), b = fabs(z.im), scale = 1;
  if (a > 1e300 || b > 1e300) { a *= 0.0625; b *= 0.0625; scale = 4; }
  else if (a < 1e-300 && b < 1e-300) { a *= 0x1p108; b *= 0x1p108; scale = 0x1p-54; }
  double larger = scale * sqrt((a + hypot(a, b)) * 0.5), smaller = scale * b / (2 * (larger / scale));
  return z.re >= 0 ? sg_pair(larger, sg_copysign(smaller, z.im)) : sg_pair(smaller, sg_copysign(larger, z.im));
}

static __device__ inline sg_complex<double> sg_zpow(sg_complex<double> a, sg_complex<double> b) {
  if (b.re == 0 && b.im == 0) return sg_pair(1.0, 0.0);
  if (a.re == 0 && a.im == 0)
    return b.re > 0 ? sg_pair(0.0, 0.0) : sg_pair(sg_nan<double>(), sg_nan<double>());
  if (b.im == 0 && b.re == floor(b.re) && fabs(b.re) < 100) {
    sg_complex<double> result = sg_pair(1.0, 0.0), factor = a;
    for (int left = (int)fabs(b.re); left; left >>= 1) {
      if (left & 1) result = sg_zmul(result, factor);
      factor = sg_zmul(factor, factor);
    }
    return b.re < 0 ? sg_zdiv(sg_pair(1.0, 0.0), result) : result;
  }
  return sg_zexp(sg_zmul(b, sg_zlog(a)));
}

static __device__ inline sg_complex<double> sg_zsinh(sg_complex<double> z) {
  if (z.im == 0) return sg_pair(sinh(z.re), z.im);
  if (fabs(z.re) < 700) return sg_pair(sinh(z.re) * cos(z.im), sg_with_zero(sin(z.im), cosh(z.re)));
  sg_complex<double> w = sg_zexp(sg_pair(fabs(z.re), z.im));
  return sg_pair(sg_copysign(0.5, z.re) * w.re, 0.5 * w.im);
}

static __device__ inline sg_complex<double> sg_zcosh(sg_complex<double> z) {
  if (z.im == 0) return sg_pair(cosh(z.re), z.re == 0 ? z.re * z.im : sg_copysign(z.im, z.re * z.im));
  if (fabs(z.re) < 700) return sg_pair(cosh(z.re) * cos(z.im), sinh(z.re) * sin(z.im));
  sg_complex<double> w = sg_zexp(sg_pair(fabs(z.re), z.im));
  return sg_pair(0.5 * w.re, sg_copysign(0.5, z.re) * w.im);
}

static __device__ inline sg_complex<double> sg_ztanh(sg_complex<double> z) {
  // W. Kahan, "Branch cuts for complex elementary functions", 1987.
  if (fabs(z.re) > 22) {
    double rest = sg_isfinite(z.im) ? 4 * sin(z.im) * cos(z.im) * exp(-2 * fabs(z.re)) : sg_copysign(0.0, z.im);
    return sg_pair(sg_copysign(1.0, z.re), rest);
  }
  double t = tan(z.im), b = 1 + t * t, s = sinh(z.re), r = sqrt(1 + s * s);
  if (sg_isinf(t)) return sg_pair(r / s, 1 / t);
  return sg_pair(b * r * s / (1 + b * s * s), t / (1 + b * s * s));
}

static __device__ inline sg_complex<double> sg_turned(sg_complex<double> z) { return sg_pair(-z.im, z.re); }

static __device__ inline sg_complex<double> sg_turned_back(sg_complex<double> z) { return sg_pair(z.im, -z.re); }

static __device__ inline sg_complex<double> sg_zsin(sg_complex<double> z) {
  return sg_turned_back(sg_zsinh(sg_turned(z)));
}

static __device__ inline sg_complex<double> sg_zcos(sg_complex<double> z) { return sg_zcosh(sg_turned(z)); }

static __device__ inline sg_complex<double> sg_ztan(sg_complex<double> z) {
  return sg_turned_back(sg_ztanh(sg_turned(z)));
}

static __device__ inline sg_complex<double> sg_zacos(sg_complex<double> z) {  // Kahan, as above, and the next five
  sg_complex<double> a = sg_zsqrt(sg_pair(1 - z.re, -z.im)), b = sg_zsqrt(sg_pair(1 + z.re, z.im));
  return sg_pair(2 * atan2(a.re, b.re), asinh(b.re * a.im - b.im * a.re));
}

static __device__ inline sg_complex<double> sg_zasin(sg_complex<double> z) {
  sg_complex<double> a = sg_zsqrt(sg_pair(1 - z.re, -z.im)), b = sg_zsqrt(sg_pair(1 + z.re, z.im));
  return sg_pair(atan2(z.re, a.re * b.re - a.im * b.im), asinh(a.re * b.im - a.im * b.re));
}

static __device__ inline sg_complex<double> sg_zacosh(sg_complex<double> z) {
  sg_complex<double> a = sg_zsqrt(sg_pair(z.re - 1, z.im)), b = sg_zsqrt(sg_pair(z.re + 1, z.im));
  return sg_pair(asinh(a.re * b.re + a.im * b.im), 2 * atan2(a.im, b.re));
}

static __device__ inline sg_complex<double> sg_zasinh(sg_complex<double> z) {
  return sg_turned_back(sg_zasin(sg_turned(z)));
}

static __device__ inline sg_complex<double> sg_zatanh(sg_complex<double> z) {
  double x = fabs(z.re), y = fabs(z.im);
  if (x > 1e150 || y > 1e150) {  // the squares would overflow
    double size = x > y ? x : y, re = x / size, im = y / size;
    double near = sg_isinf(size) ? 0.0 : re / (re * re + im * im) / size;
    return sg_pair(sg_copysign(near, z.re), sg_copysign(1.570796326794896619231, z.im));
  }
  double less = 1 - x;
  double re = 0.25 * log1p(4 * x / (less * less + y * y));
  double im = 0.5 * atan2(2 * y, less * (1 + x) - y * y);
  return sg_pair(sg_copysign(re, z.re), sg_copysign(im, z.im));
}

static __device__ inline sg_complex<double> sg_zatan(sg_complex<double> z) {
  return sg_turned_back(sg_zatanh(sg_turned(z)));
}
