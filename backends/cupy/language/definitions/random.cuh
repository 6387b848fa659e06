// Random numbers: the words of symgraph.random.philox and the variates made of them, in the same order of operations.
// What can be is rounded as the processor rounds it: products and sums are not contracted where bits must agree.

struct sg_block { unsigned long long w[4]; };

static __device__ inline sg_block sg_philox(const unsigned long long* state, unsigned long long block,
                                            unsigned long long attempt, unsigned long long lane) {
  // J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11: Philox-4x64-10.
  unsigned long long c0 = state[2] + block, c1 = attempt, c2 = lane, c3 = 0, k0 = state[0], k1 = state[1];
  for (int round = 0; round < 10; round++) {
    unsigned long long high0 = __umul64hi(0xD2E7470EE14C6C93ull, c0), high1 = __umul64hi(0xCA5A826395121157ull, c2);
    unsigned long long low0 = 0xD2E7470EE14C6C93ull * c0, low1 = 0xCA5A826395121157ull * c2;
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 += 0x9E3779B97F4A7C15ull;
    k1 += 0xBB67AE8584CAA73Bull;
  }
  sg_block found;
  found.w[0] = c0;
  found.w[1] = c1;
  found.w[2] = c2;
  found.w[3] = c3;
  return found;
}

static __device__ inline sg_block sg_philox_of(unsigned long long key0, unsigned long long key1,
                                               unsigned long long counter, unsigned long long block) {
  const unsigned long long state[3] = {key0, key1, counter};
  return sg_philox(state, block, 0, 0);
}

// One of the words of a block: not by an index of an array, which would lie in memory.
static __device__ inline unsigned long long sg_word(const sg_block &block, int at) {
  unsigned long long low = at & 1 ? block.w[1] : block.w[0], high = at & 1 ? block.w[3] : block.w[2];
  return at & 2 ? high : low;
}

static __device__ inline unsigned int sg_half_word(const sg_block &block, int at) {
  return (unsigned int)(sg_word(block, at >> 1) >> 32 * (at & 1));
}

template <class T> static __device__ inline T sg_unit(unsigned long long bits);
template <> __device__ inline float sg_unit<float>(unsigned long long bits) {
  return (float)(int)((unsigned int)bits >> 8) * 0x1p-24f;
}
template <> __device__ inline double sg_unit<double>(unsigned long long bits) {
  return (double)(long long)(bits >> 11) * 0x1p-53;
}

template <class T> static __device__ inline T sg_open(unsigned long long bits);
template <> __device__ inline float sg_open<float>(unsigned long long bits) {
  return ((float)(int)((unsigned int)bits >> 9) + 0.5f) * 0x1p-23f;
}
template <> __device__ inline double sg_open<double>(unsigned long long bits) {
  return ((double)(long long)(bits >> 12) + 0.5) * 0x1p-52;
}

static __device__ inline float sg_unit_half(unsigned long long bits) {
  return (float)(int)((unsigned int)bits >> 21) * 0x1p-11f;
}

template <class T> static __device__ inline T sg_exponential(unsigned long long bits) {
  return -sg_log(sg_open<T>(bits));
}

template <class T> static __device__ inline T sg_logistic(unsigned long long bits) {
  T u = sg_open<T>(bits);
  return sg_log(u) - sg_log(T(1) - u);
}

template <class T> static __device__ inline T sg_gumbel(unsigned long long bits) {
  return -sg_log(-sg_log(sg_open<T>(bits)));
}

template <class T> static __device__ inline T sg_laplace(unsigned long long bits) {
  T v = sg_open<T>(bits) - T(0.5);
  return sg_copysign(-sg_log(T(1) - T(2) * sg_fabs(v)), v);
}

template <class T> static __device__ inline T sg_cauchy(unsigned long long bits) {
  return sg_tan(T(3.14159265358979323846) * (sg_open<T>(bits) - T(0.5)));
}

template <class T> static __device__ inline T sg_truncated_normal(unsigned long long bits) {
  // The normal quantile of p between F(-2) and F(2) is -sqrt(2) times the inverse of erfc at 2 p.
  const double tail = 0.0227501319481792072003;
  T p = T(tail) + sg_open<T>(bits) * T(1 - 2 * tail);
  T x = T(-1.41421356237309504880 * sg_erfcinv(2 * (double)p));
  return x < T(-2) ? T(-2) : x > T(2) ? T(2) : x;
}

template <class T> static __device__ inline T sg_normal(unsigned long long a, unsigned long long b, int second) {
  T radius = sg_sqrt(sg_log(sg_open<T>(a)) * T(-2)), angle = sg_unit<T>(b) * T(6.28318530717958647693);
  return radius * (second ? sg_sin(angle) : sg_cos(angle));
}

static __device__ inline long long sg_integers(unsigned long long word, long long low, unsigned long long span) {
  return (long long)((unsigned long long)low + (span == 0 ? word : __umul64hi(word, span)));
}

// ---- by rejection: see symgraph.random.rejection, whose steps these are

static __device__ inline double sg_gamma_draw(const unsigned long long* state, unsigned long long block, double shape,
                                              bool log_of) {
  // G. Marsaglia and W. Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000).
  bool small = shape < 1, endless = !sg_isfinite(shape);
  double d = (small ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d), cube = 0;
  unsigned long long boost = 0;
  for (unsigned long long attempt = 0;; attempt++) {
    sg_block words = sg_philox(state, block, attempt, 0);
    if (attempt == 0) boost = words.w[3];
    double x = sqrt(-2 * log(sg_open<double>(words.w[0]))) * cos(6.28318530717958647693 * sg_unit<double>(words.w[1]));
    double u = sg_open<double>(words.w[2]), root = 1 + c * x, square = x * x;
    cube = root * root * root;
    if (endless || (root > 0 && u < 1 - 0.0331 * square * square)) break;
    if (root > 0 && log(u) < square / 2 + d * (1 - cube + log(cube))) break;
  }
  double more = small ? log(sg_open<double>(boost)) / shape : 0;
  if (log_of) return log(d) + log(cube) + more;
  return small ? d * cube * exp(more) : d * cube;
}

static __device__ inline double sg_stirling_rest(double x) {
  double safe = x > 1 ? x : 1;
  return 1 / (12 * safe) - 1 / (360 * safe * safe * safe);
}

static __device__ inline double sg_log_factorials(double m, double k) {  // log(m! / k!) + (k - m) log(m)
  if (m > 1e4 && k > 5e3) {
    double delta = (k - m) / m;
    return -m * ((1 + delta) * log1p(delta) - delta) - log1p(delta) / 2 + sg_stirling_rest(m) - sg_stirling_rest(k);
  }
  return lgamma(m + 1) - lgamma(k + 1) + (k - m) * log(m > 0 ? m : 1);
}

static __device__ inline double sg_poisson_draw(const unsigned long long* state, unsigned long long block,
                                                double mean) {
  if (mean < 10) {
    double u = sg_unit<double>(sg_philox(state, block, 0, 0).w[0]), term = exp(-mean), total = term;
    int k = 0;
    for (; k < 150 && u >= total; k++) {
      term *= mean / (k + 1);
      total += term;
    }
    return k;
  }
  // W. Hoermann, "The transformed rejection method for generating Poisson random variables", 1993.
  double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b, inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
  double sure = 0.9277 - 3.6224 / (b - 2), m = floor(mean);
  for (unsigned long long attempt = 0;; attempt++) {
    sg_block words = sg_philox(state, block, attempt, 0);
    double u = sg_open<double>(words.w[0]) - 0.5, v = sg_open<double>(words.w[1]), us = 0.5 - fabs(u);
    double k = floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= sure) return k;
    if (k != k) return k;
    if (!(k >= 0 && (us >= 0.013 || v <= us))) continue;
    double away = mean - m;
    double peak = m > 1e4 ? -log(6.28318530717958647693 * m) / 2 - sg_stirling_rest(m) - away * away / (2 * m)
                          : -mean + m * log(mean) - lgamma(m + 1);
    double log_p = peak + sg_log_factorials(m, k) + (k - m) * log1p((mean - m) / m);
    if (log(v * inverse_alpha / (a / (us * us) + b)) <= log_p) return k;
  }
}

static __device__ inline double sg_binomial_draw(const unsigned long long* state, unsigned long long block, double n,
                                                 double p, unsigned long long lane) {
  bool turned = p > 0.5;
  if (turned) p = 1 - p;
  double k = 0;
  if (n * p < 10) {
    double odds = p / (1 - p), u = sg_unit<double>(sg_philox(state, block, 0, lane).w[0]);
    double term = exp(n * log1p(-p)), total = term;
    int steps = 0;
    for (; steps < 150 && u >= total; steps++) {
      term *= (n - steps) / (steps + 1) * odds;
      total += term;
    }
    k = steps < n ? steps : n;
    return turned ? n - k : k;
  }
  // W. Hoermann, "The generation of binomial random variates", J. Statist. Comput. Simulation 46 (1993).
  double spread = sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * spread, a = -0.0873 + 0.0248 * b + 0.01 * p;
  double alpha = (2.83 + 5.1 / b) * spread, sure = 0.92 - 4.2 / b, m = floor((n + 1) * p), other = n - m;
  double tilt = log(p / (1 - p)) - log(m / other);
  for (unsigned long long attempt = 0;; attempt++) {
    sg_block words = sg_philox(state, block, attempt, lane);
    double u = sg_open<double>(words.w[0]) - 0.5, v = sg_open<double>(words.w[1]), us = 0.5 - fabs(u);
    k = floor((2 * a / us + b) * u + n * p + 0.5);
    if ((us >= 0.07 && v <= sure) || k != k) break;
    if (!(k >= 0 && k <= n)) continue;
    double log_p = sg_log_factorials(m, k) + sg_log_factorials(other, n - k) + (k - m) * tilt;
    if (log(v * alpha / (a / (us * us) + b)) <= log_p) break;
  }
  return turned ? n - k : k;
}
