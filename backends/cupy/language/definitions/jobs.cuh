// What the kernels of jobs share: packs of elements, partial results, indices.

template <class T, int N> struct alignas(sizeof(T) * N < 16 ? sizeof(T) * N : 16) sg_pack { T at[N]; };

template <class T> struct sg_best { T value; long long at; };

static __device__ inline long long sg_checked(long long i, long long n, long long *error) {
  long long place = i < 0 ? i + n : i;
  if (place >= 0 && place < n) return place;
  if (atomicCAS((unsigned long long *)error, 0ull, 1ull) == 0ull) {
    error[1] = i;
    error[2] = n;
  }
  return 0;
}

// Of two places the one with the larger element: the first of equals, and no number before all numbers.
template <class T> static __device__ inline sg_best<T> sg_larger(sg_best<T> a, sg_best<T> b) {
  if (a.at < 0 || b.at < 0) return a.at < 0 ? b : a;
  bool odd_a = a.value != a.value, odd_b = b.value != b.value;
  bool before = a.at < b.at;
  if (odd_a || odd_b) return odd_a && (!odd_b || before) ? a : b;
  return a.value > b.value || (a.value == b.value && before) ? a : b;
}

template <class T> static __device__ inline sg_best<T> sg_smaller(sg_best<T> a, sg_best<T> b) {
  if (a.at < 0 || b.at < 0) return a.at < 0 ? b : a;
  bool odd_a = a.value != a.value, odd_b = b.value != b.value;
  bool before = a.at < b.at;
  if (odd_a || odd_b) return odd_a && (!odd_b || before) ? a : b;
  return a.value < b.value || (a.value == b.value && before) ? a : b;
}

template <class T> static __device__ inline sg_best<T> sg_best_of(T value, long long at) {
  sg_best<T> best;
  best.value = value;
  best.at = at;
  return best;
}

// What another block has left: not what was read there before.
template <class T> static __device__ inline T sg_fresh(const T *place) {
  T value;
  for (unsigned int i = 0; i < sizeof(T); ++i) ((char *)&value)[i] = ((const volatile char *)place)[i];
  return value;
}
