// A stand-in for cuBLASLt on the CPU: the functions that are called, with the library's own signatures, over host memory.
// With -DWITH_HEADER it is compiled against the library's header, which holds the signatures against it.
#include <cstdint>
#include <cstring>

#ifdef WITH_HEADER
#include <cublasLt.h>
#else
typedef int cublasStatus_t, cublasComputeType_t, cudaDataType, cublasLtMatmulDescAttributes_t;
typedef int cublasLtMatrixLayoutAttribute_t, cublasLtMatmulPreferenceAttributes_t;
typedef struct { uint64_t data[8]; } cublasLtMatmulAlgo_t;
typedef struct {
  cublasLtMatmulAlgo_t algo;
  size_t workspaceSize;
  cublasStatus_t state;
  float wavesCount;
  int reserved[4];
} cublasLtMatmulHeuristicResult_t;
typedef struct Opaque *cublasLtHandle_t;
typedef struct Desc *cublasLtMatmulDesc_t;
typedef struct Layout *cublasLtMatrixLayout_t;
typedef struct Preference *cublasLtMatmulPreference_t;
typedef void *cudaStream_t;
#endif

namespace {
struct OwnDesc { int compute, scale, transposed[2]; };
struct OwnLayout { int type; uint64_t rows, columns; int64_t ld; int32_t batch; int64_t offset; };
struct OwnPreference { uint64_t workspace; uint32_t alignments[4]; };

int counts[2];      // heuristics asked for, products done
void *last_stream;
const cublasStatus_t fine = static_cast<cublasStatus_t>(0), wrong = static_cast<cublasStatus_t>(7);

template <class T>
void multiply(const OwnDesc &d, double alpha, const void *a, const OwnLayout &la, const void *b, const OwnLayout &lb,
              double beta, void *out, const OwnLayout &lo) {
  const int64_t inner = static_cast<int64_t>(d.transposed[0] ? la.rows : la.columns);
  for (int64_t n = 0; n < lo.batch; n++)
    for (int64_t j = 0; j < static_cast<int64_t>(lo.columns); j++)
      for (int64_t i = 0; i < static_cast<int64_t>(lo.rows); i++) {
        double sum = 0;
        for (int64_t k = 0; k < inner; k++) {
          const T x = static_cast<const T *>(a)[n * la.offset + (d.transposed[0] ? k + i * la.ld : i + k * la.ld)];
          const T y = static_cast<const T *>(b)[n * lb.offset + (d.transposed[1] ? j + k * lb.ld : k + j * lb.ld)];
          sum += static_cast<double>(x) * y;
        }
        T &place = static_cast<T *>(out)[n * lo.offset + i + j * lo.ld];
        place = static_cast<T>(alpha * sum + (beta != 0 ? beta * place : 0));
      }
}
}  // namespace

extern "C" {
int *stand_in_counts() { return counts; }
void *stand_in_stream() { return last_stream; }

size_t cublasLtGetVersion(void) { return 130100; }
cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle) {
  *handle = reinterpret_cast<cublasLtHandle_t>(0x5);
  return fine;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *made, cublasComputeType_t compute, cudaDataType scale) {
  *made = reinterpret_cast<cublasLtMatmulDesc_t>(new OwnDesc{compute, scale, {0, 0}});
  return fine;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t d) { delete reinterpret_cast<OwnDesc *>(d); return fine; }
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t d, cublasLtMatmulDescAttributes_t attribute,
                                              const void *value, size_t size) {
  if (size != 4 || (attribute != 3 && attribute != 4)) return wrong;
  std::memcpy(&reinterpret_cast<OwnDesc *>(d)->transposed[attribute - 3], value, size);
  return fine;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *made, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t ld) {
  if (ld < static_cast<int64_t>(rows)) return wrong;
  *made = reinterpret_cast<cublasLtMatrixLayout_t>(new OwnLayout{type, rows, columns, ld, 1, 0});
  return fine;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t l) {
  delete reinterpret_cast<OwnLayout *>(l);
  return fine;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t l, cublasLtMatrixLayoutAttribute_t attribute,
                                                const void *value, size_t size) {
  OwnLayout *layout = reinterpret_cast<OwnLayout *>(l);
  if (attribute == 5 && size == 4) std::memcpy(&layout->batch, value, size);
  else if (attribute == 6 && size == 8) std::memcpy(&layout->offset, value, size);
  else return wrong;
  return fine;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *made) {
  *made = reinterpret_cast<cublasLtMatmulPreference_t>(new OwnPreference{0, {256, 256, 256, 256}});
  return fine;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t p) {
  delete reinterpret_cast<OwnPreference *>(p);
  return fine;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t p,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void *value,
                                                    size_t size) {
  OwnPreference *preference = reinterpret_cast<OwnPreference *>(p);
  if (attribute == 1 && size == 8) std::memcpy(&preference->workspace, value, size);
  else if (attribute >= 5 && attribute <= 8 && size == 4) std::memcpy(&preference->alignments[attribute - 5], value, size);
  else return wrong;
  return fine;
}
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatmulPreference_t p, int asked,
                                              cublasLtMatmulHeuristicResult_t results[], int *found) {
  if (handle != reinterpret_cast<cublasLtHandle_t>(0x5) || asked < 1) return wrong;
  if (reinterpret_cast<OwnPreference *>(p)->workspace != 32u << 20) return wrong;
  counts[0]++;
  for (int i = 0; i < 8; i++) results[0].algo.data[i] = 100 + i;
  results[0].workspaceSize = 1000;
  results[0].state = fine;
  *found = 1;
  return fine;
}
cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t d, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t la, const void *b, cublasLtMatrixLayout_t lb, const void *beta,
                              const void *c, cublasLtMatrixLayout_t lc, void *out, cublasLtMatrixLayout_t lo,
                              const cublasLtMatmulAlgo_t *algo, void *workspace, size_t size, cudaStream_t stream) {
  if (handle != reinterpret_cast<cublasLtHandle_t>(0x5) || c != out || lc != lo || !workspace || size != 32u << 20)
    return wrong;
  for (int i = 0; i < 8; i++)
    if (algo->data[i] != 100u + static_cast<unsigned>(i)) return wrong;
  const OwnDesc &desc = *reinterpret_cast<OwnDesc *>(d);
  const OwnLayout &x = *reinterpret_cast<OwnLayout *>(la), &y = *reinterpret_cast<OwnLayout *>(lb),
                  &z = *reinterpret_cast<OwnLayout *>(lo);
  counts[1]++;
  last_stream = stream;
  if (z.type == 1 && desc.scale == 1)
    multiply<double>(desc, *static_cast<const double *>(alpha), a, x, b, y, *static_cast<const double *>(beta), out, z);
  else if (z.type == 0 && desc.scale == 0)
    multiply<float>(desc, *static_cast<const float *>(alpha), a, x, b, y, *static_cast<const float *>(beta), out, z);
  else return wrong;
  return fine;
}
}
