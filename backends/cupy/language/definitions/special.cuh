// Functions of mathematical physics that C has not, in double; single and half are computed in it. A "term" below is of
// a series whose source is named: DLMF is the Digital Library of Mathematical Functions, https://dlmf.nist.gov.

static __device__ inline double sg_psi(double x) {
  if (x == 0) return -sg_copysign(sg_inf<double>(), x);
  double result = 0;
  if (x < 0) {  // DLMF 5.5.4
    if (x == floor(x)) return sg_nan<double>();
    double rest = x - rint(x);
    result = -3.14159265358979323846 / tan(3.14159265358979323846 * rest);
    x = 1 - x;
  }
  for (; x < 10; x += 1) result -= 1 / x;  // DLMF 5.5.2
  double y = 1 / (x * x);                  // DLMF 5.11.2
  double series = 8.33333333333333333333e-2 - y * (8.33333333333333333333e-3 - y * (3.96825396825396825397e-3
      - y * (4.16666666666666666667e-3 - y * (7.57575757575757575758e-3 - y * (2.10927960927960927961e-2
      - y * 8.33333333333333333333e-2)))));
  return sg_isinf(x) ? x : result + log(x) - 0.5 / x - y * series;
}

static __device__ inline double sg_zeta(double s, double q) {  // Hurwitz: the sum of (q + k)**-s
  if (s == 1) return sg_inf<double>();
  if (!(s > 1)) return sg_nan<double>();
  if (q <= 0) {
    if (q == floor(q)) return sg_inf<double>();
    if (s != floor(s)) return sg_nan<double>();
  }
  double sum = 0, least = s > 15 ? s : 15;
  for (; q < least; q += 1) {
    double term = pow(q, -s);
    sum += term;
    if (q > 0 && term < 1e-18 * sum && s > 30) return sum;
  }
  // Euler and Maclaurin: DLMF 25.11.28, the coefficients being B[2j] / (2j)!.
  const double factor[10] = {8.3333333333333333e-2, -1.3888888888888889e-3, 3.3068783068783069e-5,
      -8.2671957671957672e-7, 2.0876756987868099e-8, -5.2841901386874932e-10, 1.3382536530684679e-11,
      -3.3896802963225829e-13, 8.5860620562778446e-15, -2.1748686985580619e-16};
  double power = pow(q, -s), rising = s * power / q;
  sum += power * q / (s - 1) + 0.5 * power;
  for (int j = 0; j < 10; j++) {
    sum += factor[j] * rising;
    rising *= (s + 2 * j + 1) * (s + 2 * j + 2) / (q * q);
  }
  return sum;
}

static __device__ inline double sg_polygamma(double n, double x) {  // DLMF 5.15.1, for n >= 1
  double order = n + 1, sign = fmod(order, 2.0) == 0 ? 1 : -1;
  return sign * sg_gamma(order) * sg_zeta(order, x);
}

static __device__ inline double sg_erfcx(double x) {
  double size = fabs(x), result;
  if (size < 12) {
    double square = size * size, rest = fma(size, size, -square);
    result = exp(square) * (1 + rest) * erfc(size);
  } else {
    double y = 0.5 / (size * size), term = 1, sum = 1;  // DLMF 7.12.1
    for (int k = 1; k < 20; k += 2) {
      term *= -k * y;
      sum += term;
    }
    result = sum * 0.564189583547756286948 / size;
  }
  return x < 0 ? 2 * exp(x * x) - result : result;
}

static __device__ inline double sg_erfc_inverse(double y) {  // for 0 < y < 1: what x has erfc(x) = y
  double level = log(y), a = log(y * (2 - y));               // a first guess good to 0.002, after S. Winitzki (2008)
  double b = 4.330746750799873 + 0.5 * a;                    // 2 / (pi * 0.147)
  double x = sqrt(sqrt(b * b - a / 0.147) - b);
  for (int i = 0; i < 3; i++) {                              // Halley: the error becomes its cube
    double away = 0.886226925452758013649 * (sg_erfcx(x) - exp(x * x + level));
    x += away / (1 - x * away);
  }
  return x;
}

static __device__ inline double sg_erfinv(double y) {
  double size = fabs(y);
  if (!(size < 1)) return size == 1 ? sg_copysign(sg_inf<double>(), y) : sg_nan<double>();
  if (size > 0.5) return sg_copysign(sg_erfc_inverse(1 - size), y);
  double a = log1p(-y * y), b = 4.330746750799873 + 0.5 * a, x = y;
  if (size > 0.01) x = sg_copysign(sqrt(sqrt(b * b - a / 0.147) - b), y);
  else x = y * 0.886226925452758013649;
  for (int i = 0; i < 3; i++) {
    double away = 0.886226925452758013649 * (erf(x) - y) * exp(x * x);
    x -= away / (1 + x * away);
  }
  return x;
}

static __device__ inline double sg_erfcinv(double y) {
  if (!(y > 0 && y < 2)) return y == 0 ? sg_inf<double>() : y == 2 ? -sg_inf<double>() : sg_nan<double>();
  if (y < 0.5) return sg_erfc_inverse(y);
  return y > 1.5 ? -sg_erfc_inverse(2 - y) : sg_erfinv(1 - y);
}

static __device__ inline double sg_stirling(double x) {
  // log gamma(x) less (x - 1/2) log x - x + log(2 pi) / 2: DLMF 5.11.1
  double y = 1 / (x * x);
  return (8.33333333333333333333e-2 - y * (2.77777777777777777778e-3 - y * (7.93650793650793650794e-4
      - y * (5.95238095238095238095e-4 - y * (8.41750841750841750842e-4 - y * 1.91752691752691752692e-3))))) / x;
}

static __device__ inline double sg_betaln(double a, double b) {
  if (a > b) { double other = a; a = b; b = other; }
  if (a <= 0 && a == floor(a) && !(b == floor(b) && b > 0 && a + b <= 0)) return sg_inf<double>();
  if (a <= 0 && a == floor(a)) return lgamma(b) + lgamma(1 - a - b) - lgamma(1 - a);  // both poles cancel
  if (a < 0 || b < 10) return lgamma(a) + lgamma(b) - lgamma(a + b);
  double log_ratio = log1p(-a / (a + b));
  if (a < 10) return lgamma(a) + sg_stirling(b) - sg_stirling(a + b) + a - a * log(a + b) + (b - 0.5) * log_ratio;
  return 0.918938533204672741780 - 0.5 * log(b) + sg_stirling(a) + sg_stirling(b) - sg_stirling(a + b)
      + (a - 0.5) * log(a / (a + b)) + b * log_ratio;
}

static __device__ inline double sg_gamma_sign(double x) { return x > 0 || fmod(floor(x), 2.0) == 0 ? 1.0 : -1.0; }

static __device__ inline double sg_beta(double a, double b) {
  double larger = a > b ? a : b, smaller = a > b ? b : a, sign = 1;
  if (smaller <= 0 && smaller == floor(smaller)) {
    if (!(larger == floor(larger) && larger > 0 && a + b <= 0)) return sg_inf<double>();
    sign = fmod(larger, 2.0) == 0 ? 1 : -1;  // the poles above and below cancel
    smaller = 1 - a - b;
    if (smaller > larger) { double other = larger; larger = smaller; smaller = other; }
  }
  double sum = larger + smaller;
  if (fabs(larger) < 15 && fabs(smaller) < 15)
    return sum <= 0 && sum == floor(sum) ? 0 : sign * sg_gamma(smaller) * (sg_gamma(larger) / sg_gamma(sum));
  sign *= sg_gamma_sign(larger) * sg_gamma_sign(smaller) * sg_gamma_sign(sum);
  return sign * exp(sg_betaln(larger, smaller));
}

static __device__ inline double sg_log1p_less(double x) {  // log(1 + x) - x
  if (x < -0.5 || x > 0.5) return log1p(x) - x;
  double term = -x * x, sum = 0;
  for (int k = 2; k < 64 && fabs(term) > 1e-19 * fabs(sum); k++) {
    sum += term / k;
    term *= -x;
  }
  return sum;
}

static __device__ inline double sg_gamma_density(double a, double x) {  // x**a exp(-x) / gamma(a + 1)
  if (a < 10) return exp(a * log(x) - x) / tgamma(a + 1);
  double away = (x - a) / a;
  return exp(a * sg_log1p_less(away) - sg_stirling(a)) * 0.398942280401432677940 / sqrt(a);
}

static __device__ inline double sg_gamma_lower(double a, double x) {  // DLMF 8.7.1
  double term = 1, sum = 1;
  for (int k = 1; k < 20000 && term > 1e-17 * sum; k++) {
    term *= x / (a + k);
    sum += term;
  }
  return sg_gamma_density(a, x) * sum;
}

static __device__ inline double sg_gamma_upper(double a, double x) {  // DLMF 8.9.2, by W. Lentz's method
  double b = x + 1 - a, c = 1e300, d = 1 / b, result = d;
  for (int k = 1; k < 20000; k++) {
    double an = k * (a - k);
    b += 2;
    d = an * d + b;
    if (fabs(d) < 1e-300) d = 1e-300;
    c = b + an / c;
    if (fabs(c) < 1e-300) c = 1e-300;
    d = 1 / d;
    result *= c * d;
    if (fabs(c * d - 1) < 1e-16) break;
  }
  return sg_gamma_density(a, x) * a * result;
}

static __device__ inline double sg_gamma_far(double a, double x, double side) {
  // N. Temme, SIAM J. Math. Anal. 10 (1979): DLMF 8.12.3 to 8.12.10, for a so large that eta is small or all is 0 or 1.
  double away = (x - a) / a, eta = sg_copysign(sqrt(-2 * sg_log1p_less(away)), away);
  if (fabs(eta) > 1) return side * eta < 0 ? 1 : 0;
  double first = -1.0 / 3 + eta * (1.0 / 12 + eta * (-2.0 / 135 + eta * (1.0 / 864 + eta * (1.0 / 2835
      + eta * (-139.0 / 777600 + eta / 25515)))));
  double second = -1.0 / 540 + eta * (-1.0 / 288 + eta / 378);
  double rest = exp(-0.5 * a * eta * eta) / sqrt(6.28318530717958647693 * a) * (first + second / a);
  return 0.5 * erfc(side * eta * sqrt(0.5 * a)) + side * rest;
}

static __device__ inline double sg_gammainc(double a, double x) {
  if (!(a >= 0 && x >= 0)) return sg_nan<double>();
  if (a == 0) return x > 0 ? 1 : sg_nan<double>();
  if (x == 0) return 0;
  if (sg_isinf(a)) return sg_isinf(x) ? sg_nan<double>() : 0;
  if (sg_isinf(x)) return 1;
  if (a > 1e6) return sg_gamma_far(a, x, -1);
  return x < a + 1 ? sg_gamma_lower(a, x) : 1 - sg_gamma_upper(a, x);
}

static __device__ inline double sg_lgamma1p(double x) {  // log gamma(1 + x) for x >= 0: DLMF 5.7.3
  if (x > 0.01) return lgamma(1 + x);
  return x * (-0.577215664901532860607 + x * (0.822467033424113218236 - x * (0.400685634386531428467
      - x * (0.270580808427784547879 - x * (0.207385551028673985266 - x * (0.169557176997408189952
      - x * (0.144049896768846118120 - x * 0.125509669524743042422)))))));
}

static __device__ inline double sg_gammaincc(double a, double x) {
  if (!(a >= 0 && x >= 0)) return sg_nan<double>();
  if (a == 0) return x > 0 ? 0 : sg_nan<double>();
  if (x == 0) return 1;
  if (sg_isinf(a)) return sg_isinf(x) ? sg_nan<double>() : 1;
  if (sg_isinf(x)) return 0;
  if (a > 1e6) return sg_gamma_far(a, x, 1);
  if (x >= a + 1) return sg_gamma_upper(a, x);
  if (x < 1 && a < 1) {  // 1 - P would cancel where both are small: DLMF 8.7.1 with its first term taken apart
    double term = 1, sum = 0;
    for (int k = 1; k < 60 && fabs(term) > 1e-18; k++) {
      term *= -x / k;
      sum += term / (a + k);
    }
    double first = expm1(a * log(x)) - expm1(sg_lgamma1p(a));  // x**a - gamma(1 + a)
    return (0 - (first + exp(a * log(x)) * a * sum)) / tgamma(a + 1);
  }
  return 1 - sg_gamma_lower(a, x);
}

static __device__ inline double sg_chi2sf(double x, double k) { return sg_gammaincc(k / 2, x / 2); }
