/* Logistic regression with few columns, X in column-major order, in blocks of rows that stay in the first cache:
   q = (alpha, beta). */
#include <math.h>

#define BLOCK 250
#if N % BLOCK
#error "whole blocks only"
#endif

double log_density(const double **data, const double *restrict q, double *restrict g) {
    double alpha = q[0], likelihood = 0, total = 0, prior = alpha * alpha, products[K] = {0};
    double eta[BLOCK], residual[BLOCK];
    for (int start = 0; start < N; start += BLOCK) {
        const double *restrict x = data[0] + start, *restrict y = data[1] + start;
        for (int i = 0; i < BLOCK; i++) {
            eta[i] = alpha;
            for (int k = 0; k < K; k++) eta[i] += x[(long)k * N + i] * q[1 + k];
        }
        for (int i = 0; i < BLOCK; i++) {
            double a = eta[i], e = exp(-fabs(a)), p = (a > 0 ? 1 : e) / (1 + e);
            likelihood += y[i] * a - (a > 0 ? a : 0) - log1p(e);
            residual[i] = y[i] - p;
            total += residual[i];
        }
        for (int i = 0; i < BLOCK; i++)
            for (int k = 0; k < K; k++) products[k] += residual[i] * x[(long)k * N + i];
    }
    g[0] = total - alpha;
    for (int k = 0; k < K; k++) {
        prior += q[1 + k] * q[1 + k];
        g[1 + k] = products[k] - q[1 + k];
    }
    return likelihood - 0.5 * prior;
}
