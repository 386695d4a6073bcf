/* Logistic regression with many columns, X in row-major order, in blocks of rows that stay in the cache, four rows at
   a time: q = (alpha, beta). */
#include <math.h>

#define BLOCK 80
#if N % BLOCK || BLOCK % 4
#error "whole blocks of four rows only"
#endif

double log_density(const double **data, const double *restrict q, double *restrict g) {
    const double *restrict x = data[0], *restrict y = data[1];
    const double *restrict beta = q + 1;
    double alpha = q[0], likelihood = 0, total = 0, prior = alpha * alpha, products[K] = {0};
    double eta[BLOCK], residual[BLOCK];
    for (int start = 0; start < N; start += BLOCK) {
        const double *restrict block = x + (long)start * K;
        for (int i = 0; i < BLOCK; i += 4) {
            const double *restrict r0 = block + i * K, *restrict r1 = r0 + K, *restrict r2 = r1 + K, *restrict r3 = r2 + K;
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
            for (int k = 0; k < K; k++) {
                s0 += r0[k] * beta[k];
                s1 += r1[k] * beta[k];
                s2 += r2[k] * beta[k];
                s3 += r3[k] * beta[k];
            }
            eta[i] = s0, eta[i + 1] = s1, eta[i + 2] = s2, eta[i + 3] = s3;
        }
        for (int i = 0; i < BLOCK; i++) {
            double a = eta[i] + alpha, e = exp(-fabs(a)), p = (a > 0 ? 1 : e) / (1 + e);
            likelihood += y[start + i] * a - (a > 0 ? a : 0) - log1p(e);
            residual[i] = y[start + i] - p;
            total += residual[i];
        }
        for (int i = 0; i < BLOCK; i += 4) {
            const double *restrict r0 = block + i * K, *restrict r1 = r0 + K, *restrict r2 = r1 + K, *restrict r3 = r2 + K;
            double e0 = residual[i], e1 = residual[i + 1], e2 = residual[i + 2], e3 = residual[i + 3];
            for (int k = 0; k < K; k++) products[k] += e0 * r0[k] + e1 * r1[k] + e2 * r2[k] + e3 * r3[k];
        }
    }
    g[0] = total - alpha;
    for (int k = 0; k < K; k++) {
        prior += beta[k] * beta[k];
        g[1 + k] = products[k] - beta[k];
    }
    return likelihood - 0.5 * prior;
}
