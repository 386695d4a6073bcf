/* Varying intercepts, rows in any order, four accumulators per group: q = (mu, log tau, beta, log sigma, alpha). */
#include <math.h>
#include <string.h>

#define BLOCK 400
#if N % BLOCK || BLOCK % 4
#error "whole blocks of four rows only"
#endif

double log_density(const double **data, const double *restrict q, double *restrict g) {
    const double *restrict x = data[0], *restrict y = data[1], *restrict alpha = q + 4;
    const int *restrict group = (const int *)data[2];
    double mu = q[0], tau = exp(q[1]), beta = q[2], sigma = exp(q[3]);
    double weight = 1 / (sigma * sigma), precision = 1 / (tau * tau);
    double squares = 0, slope = 0, sums[4][G], residual[BLOCK];
    memset(sums, 0, sizeof sums);
    for (int start = 0; start < N; start += BLOCK) {
        for (int i = 0; i < BLOCK; i++) {
            double r = y[start + i] - alpha[group[start + i]] - beta * x[start + i];
            residual[i] = r;
            squares += r * r;
            slope += r * x[start + i];
        }
        for (int i = 0; i < BLOCK; i += 4) {
            const int *restrict k = group + start + i;
            sums[0][k[0]] += residual[i];
            sums[1][k[1]] += residual[i + 1];
            sums[2][k[2]] += residual[i + 2];
            sums[3][k[3]] += residual[i + 3];
        }
    }
    double spread = 0, d_mu = 0;
    for (int j = 0; j < G; j++) {
        double d = alpha[j] - mu;
        spread += d * d;
        d_mu += d;
        g[4 + j] = (sums[0][j] + sums[1][j] + sums[2][j] + sums[3][j]) * weight - d * precision;
    }
    g[0] = d_mu * precision - mu;
    g[1] = spread * precision - G - tau * tau + 1;
    g[2] = slope * weight - beta;
    g[3] = squares * weight - N - sigma * sigma + 1;
    return -0.5 * (squares * weight + spread * precision + mu * mu + beta * beta + tau * tau + sigma * sigma)
        - G * q[1] - N * q[3] + q[1] + q[3];
}
