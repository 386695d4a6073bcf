/* Varying intercepts, rows in any order, four accumulators per group: q = (mu, log tau, beta, log sigma, alpha). */
#include <math.h>
#include <string.h>

#if N % 4
#error "whole groups of four rows only"
#endif

double log_density(const double **data, const double *restrict q, double *restrict g) {
    const double *restrict x = data[0], *restrict y = data[1], *restrict alpha = q + 4;
    const int *restrict group = (const int *)data[2];
    double mu = q[0], tau = exp(q[1]), beta = q[2], sigma = exp(q[3]);
    double weight = 1 / (sigma * sigma), precision = 1 / (tau * tau);
    double squares[4] = {0}, slopes[4] = {0}, sums[4][G];
    memset(sums, 0, sizeof sums);
    for (int i = 0; i < N; i += 4)
        for (int lane = 0; lane < 4; lane++) {
            int j = group[i + lane];
            double r = y[i + lane] - alpha[j] - beta * x[i + lane];
            squares[lane] += r * r;
            slopes[lane] += r * x[i + lane];
            sums[lane][j] += r;
        }
    double square = squares[0] + squares[1] + squares[2] + squares[3];
    double slope = slopes[0] + slopes[1] + slopes[2] + slopes[3];
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
    g[3] = square * weight - N - sigma * sigma + 1;
    return -0.5 * (square * weight + spread * precision + mu * mu + beta * beta + tau * tau + sigma * sigma)
        - G * q[1] - N * q[3] + q[1] + q[3];
}
