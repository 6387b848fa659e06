// What the kernels of jobs share: packs of elements, partial results, indices.

template <class T, int N> struct alignas(sizeof(T) * N) sg_pack { T at[N]; };

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
